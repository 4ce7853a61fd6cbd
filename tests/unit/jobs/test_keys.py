"""What makes two submissions the same."""

from hypothesis import given
from hypothesis import strategies as st

from coinrequest.jobs.callback import Callback
from coinrequest.jobs.keys import digest_of
from coinrequest.jobs.submission import Submission

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3), max_leaves=5
)


@given(st.dictionaries(st.text(), _JSON, max_size=5))
def test_the_order_of_params_does_not_matter(params: dict[str, object]) -> None:
    turned = dict(reversed(params.items()))
    assert digest_of("type", Submission(params).content()) == digest_of("type", Submission(turned).content())


def test_every_part_matters() -> None:
    submissions = [
        Submission(),
        Submission({"a": 1}),
        Submission({"a": "1"}),
        Submission(priority=5),
        Submission(labels={"a": "1"}),
        Submission(callback=Callback("https://example.org")),
        Submission(callback=Callback("https://example.org", secret="whsec_YQ==")),
        Submission(callback=Callback("https://example.org", on=("failure",))),
    ]
    digests = {digest_of("type", submission.content()) for submission in submissions}
    assert len(digests) == len(submissions)
    assert digest_of("other", Submission().content()) not in digests


def test_a_secret_is_never_shown() -> None:
    assert "whsec_YQ==" not in repr(Submission(callback=Callback("https://example.org", secret="whsec_YQ==")))
