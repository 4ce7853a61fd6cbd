"""What makes two submissions the same."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from coinrequest.jobs.callback import Callback

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3), max_leaves=5
)


def _submission(*args: Any, **fields: Any) -> Any:
    # It loads Airflow, which reads its configuration once: not before the tests that bring their own.
    from coinrequest.jobs.submission import Submission

    return Submission(*args, **fields)


def _digest(job_type: str, submission: Any) -> str:
    from coinrequest.jobs.idempotency_keys import digest_of

    return digest_of(job_type, submission.content())


@settings(deadline=None)  # the first example loads Airflow
@given(st.dictionaries(st.text(), _JSON, max_size=5))
def test_the_order_of_params_does_not_matter(params: dict[str, object]) -> None:
    turned = dict(reversed(params.items()))
    assert _digest("type", _submission(params)) == _digest("type", _submission(turned))


def test_every_part_matters() -> None:
    submissions = [
        _submission(),
        _submission({"a": 1}),
        _submission({"a": "1"}),
        _submission(priority=5),
        _submission(labels={"a": "1"}),
        _submission(callback=Callback("https://example.org")),
        _submission(callback=Callback("https://example.org", secret="whsec_YQ==")),
        _submission(callback=Callback("https://example.org", on=("failure",))),
    ]
    digests = {_digest("type", submission) for submission in submissions}
    assert len(digests) == len(submissions)
    assert _digest("other", _submission()) not in digests


def test_a_secret_is_never_shown() -> None:
    assert "whsec_YQ==" not in repr(_submission(callback=Callback("https://example.org", secret="whsec_YQ==")))
