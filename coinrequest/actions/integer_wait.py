"""`integer.wait`: wait as many seconds as the integer says."""

import logging
import time
from typing import ClassVar

from pydantic import BaseModel, Field

from coinrequest.actions.base import Action, ActionModel

_logger = logging.getLogger(__name__)

LONGEST_WAIT_SECONDS = 86_400


class IntegerWaitInputs(ActionModel):
    """What to wait for."""

    value: int = Field(ge=0, le=LONGEST_WAIT_SECONDS, description="how long to wait, in seconds", examples=[3])


class IntegerWaitResult(ActionModel):
    """What was waited for."""

    value: int = Field(description="the seconds that were asked for")
    message: str = Field(description="always `job complete`", examples=["job complete"])


class IntegerWait(Action[IntegerWaitInputs, IntegerWaitResult]):
    """Wait `value` seconds, never less (0 to 86,400), then say `job complete`; it cannot fail."""

    name: ClassVar[str] = "integer.wait"
    summary: ClassVar[str] = "Wait as many seconds as the integer says"
    Inputs: ClassVar[type[BaseModel]] = IntegerWaitInputs
    Result: ClassVar[type[BaseModel]] = IntegerWaitResult

    def run(self, inputs: IntegerWaitInputs) -> IntegerWaitResult:
        """Wait, and log that the job was taken, is worked on and is complete."""
        _logger.info("took the job: wait %d s", inputs.value)
        _logger.info("working")
        self._wait(inputs.value)
        _logger.info("job complete after %d s", inputs.value)
        return IntegerWaitResult(value=inputs.value, message="job complete")

    def _wait(self, seconds: int) -> None:
        """Wait so many seconds of the monotonic clock, and report at every hundredth, but once a second at most."""
        began = time.monotonic()
        steps = min(seconds, 100)
        for step in range(steps):
            self.context.report(seconds * step // steps, seconds, "seconds")
            until = began + seconds * (step + 1) / steps
            # A sleep that a signal ends early is taken up again.
            while (left := until - time.monotonic()) > 0:
                time.sleep(left)
