"""`integer.wait`: wait for a number of seconds."""

import logging
import time
from typing import ClassVar

from pydantic import BaseModel, Field

from coinrequest.actions.base import Action, ActionModel

log = logging.getLogger(__name__)

LONGEST_WAIT_SECONDS = 86_400


class IntegerWaitInputs(ActionModel):
    """The inputs of `integer.wait`."""

    value: int = Field(ge=0, le=LONGEST_WAIT_SECONDS, description="the seconds to wait", examples=[3])


class IntegerWaitResult(ActionModel):
    """The result of `integer.wait`."""

    value: int = Field(description="the seconds of the inputs")
    message: str = Field(description="always `job complete`", examples=["job complete"])


class IntegerWait(Action[IntegerWaitInputs, IntegerWaitResult]):
    """Wait for at least `value` seconds (0 to 86,400), then return `job complete`. It cannot fail."""

    name: ClassVar[str] = "integer.wait"
    summary: ClassVar[str] = "Wait for a number of seconds"
    Inputs: ClassVar[type[BaseModel]] = IntegerWaitInputs
    Result: ClassVar[type[BaseModel]] = IntegerWaitResult

    def run(self, inputs: IntegerWaitInputs) -> IntegerWaitResult:
        """Wait, and log that the job was taken, is being worked on, and is complete."""
        log.info("took the job: wait %d s", inputs.value)
        log.info("working")
        self._wait(inputs.value)
        log.info("job complete after %d s", inputs.value)
        return IntegerWaitResult(value=inputs.value, message="job complete")

    def _wait(self, seconds: int) -> None:
        """Wait on the monotonic clock, and report progress up to a hundred times, once a second at most."""
        started = time.monotonic()
        steps = min(seconds, 100)
        for step in range(steps):
            self.context.report(seconds * step // steps, seconds, "seconds")
            until = started + seconds * (step + 1) / steps
            # A signal may end a sleep early.
            while (remaining := until - time.monotonic()) > 0:
                time.sleep(remaining)
