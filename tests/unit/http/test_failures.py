"""The errors of libcurl in words."""

import re

import pytest

from coinrequest.http.failures import describe_failure


@pytest.mark.parametrize("code", range(1, 120))
def test_every_error_of_libcurl_has_words_and_a_remedy(code: int) -> None:
    words, separator, remedy = describe_failure(code, "").rpartition("; ")
    assert separator
    assert len(words) > 8
    assert re.match(r"allow|check|try|correct|renew|ask|the |please ", remedy), remedy
    assert "libcurl error" not in words


def test_what_libcurl_says_about_a_transfer_comes_first() -> None:
    text = describe_failure(6, "Could not resolve host: no.test")
    assert text.startswith("Could not resolve host: no.test; check the spelling of the host name")


def test_a_version_of_the_library_without_words_still_names_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    import pycurl

    monkeypatch.delattr(pycurl, "easy_strerror", raising=False)
    assert describe_failure(18, "").startswith("libcurl does not explain its error 18; try again")
