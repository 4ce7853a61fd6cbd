import time

import pytest
from pydantic import ValidationError

from coinrequest.actions.integer_wait import IntegerWait, IntegerWaitInputs


def test_it_waits_the_seconds_and_says_so(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    with caplog.at_level("INFO"):
        result = IntegerWait().run(IntegerWaitInputs.model_validate({"value": 3}))
    assert result.model_dump(mode="json") == {"value": 3, "message": "job complete"}
    assert waited == [3]
    assert [record.getMessage() for record in caplog.records] == [
        "took the job: wait 3 s",
        "working",
        "job complete after 3 s",
    ]


@pytest.mark.parametrize("value", [-1, 86_401, 1.5, "3", True, None])
def test_what_is_no_number_of_seconds_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        IntegerWaitInputs.model_validate({"value": value})
