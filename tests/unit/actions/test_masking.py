import base64
import json
from urllib.parse import quote, quote_plus

from hypothesis import given
from hypothesis import strategies as st

from coinrequest.actions.masking import MASK, Masking

SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=4, max_size=30)
WRITTEN = [
    *(str, json.dumps, lambda secret: json.dumps(secret, ensure_ascii=False), quote, quote_plus),
    lambda secret: quote(secret, safe=""),
    lambda secret: base64.b64encode(secret.encode()).decode(),
]


@given(SECRETS, st.sampled_from(WRITTEN), st.text(alphabet="#", max_size=3))
def test_secrets_are_masked_in_all_encodings(secret: str, write: object, around: str) -> None:
    assert callable(write)
    written = write(secret)
    masked = Masking([secret]).text(f"{around}{written}{around}")
    assert MASK in masked
    assert written not in masked or written in around + MASK


@given(SECRETS, st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_secrets_in_documents_are_masked(secret: str, other: object) -> None:
    masked = Masking([secret]).document({secret: [secret, {"a": f"<{secret}>"}], "other": other})
    assert masked[MASK] == [MASK, {"a": f"<{MASK}>"}] or secret in f"<{MASK}>"


def test_without_secrets_nothing_is_masked() -> None:
    document = {"a": [1, True, None, "text"]}
    assert Masking(["", "abc"]).document(document) == document
    assert Masking(["", "abc"]).text("abc") == "abc"


def test_a_secret_within_another_is_masked_completely() -> None:
    assert Masking(["secret", "my-secret-key"]).text("my-secret-key secret") == "*** ***"


def test_characters_that_no_charset_has_are_not_taken_for_a_secret() -> None:
    lost = "\N{REPLACEMENT CHARACTER}" * 8
    assert Masking(["äöüß", "日本語文"]).text(f"???? {lost}") == f"???? {lost}"
