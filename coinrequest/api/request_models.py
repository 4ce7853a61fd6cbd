"""Request bodies: to cancel a job, and to test a URL."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Cancel(_Body):
    """The reason for which a job is cancelled."""

    reason: Annotated[str, Field(max_length=1000)] | None = Field(default=None, examples=["wrong currencies"])


class UrlSubmission(_Body):
    """A URL to test."""

    url: str = Field(description="An http or https URL; http if it has no scheme", examples=["https://example.org"])
