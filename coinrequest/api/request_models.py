"""The other bodies of the service's routes: to cancel a job, and to test a URL."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Cancel(_Part):
    """Why a job is cancelled."""

    reason: Annotated[str, Field(max_length=1000)] | None = Field(default=None, examples=["wrong currencies"])


class UrlSubmission(_Part):
    """A URL to be tested."""

    url: str = Field(description="http or https; without a scheme it is http", examples=["https://example.org"])
