"""The formats of params schemas, independent of installed packages."""

import re
from collections.abc import Callable
from datetime import datetime, time
from typing import Any
from urllib.parse import urlsplit

_LABEL = r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)"
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _is_date_time(text: str) -> bool:
    # Airflow's form sends times in this format, and its own validation may require it.
    return _RFC_3339.fullmatch(text) is not None and datetime.fromisoformat(text).tzinfo is not None


def _is_time(text: str) -> bool:
    time.fromisoformat(text)
    return True


def _is_uri(text: str) -> bool:
    parts = urlsplit(text)
    return bool(parts.scheme and (parts.netloc or parts.path)) and text.isprintable() and " " not in text


def _is_host_name(text: str) -> bool:
    return len(text) <= 253 and re.fullmatch(rf"{_LABEL}(\.{_LABEL})*", text, re.ASCII) is not None


_OWN_FORMATS: dict[str, Callable[[str], bool]] = {
    "date-time": _is_date_time,
    "time": _is_time,
    "uri": _is_uri,
    "hostname": _is_host_name,
}
_LIBRARY_FORMATS = ("date", "email", "ipv4", "ipv6", "uuid")
# Airflow's form has a larger field for `multiline`, and hides the input for `password`.
FORMATS = frozenset({*_OWN_FORMATS, *_LIBRARY_FORMATS, "multiline", "password"})


def format_checker() -> Any:
    """Return the checker of `format`."""
    from jsonschema import Draft202012Validator, FormatChecker

    # The library's default selection depends on the packages that happen to be installed.
    checker = FormatChecker(formats=())
    checker.checkers = {name: Draft202012Validator.FORMAT_CHECKER.checkers[name] for name in _LIBRARY_FORMATS}
    for name, check in _OWN_FORMATS.items():
        checker.checkers[name] = (_only_for_text(check), (ValueError,))
    return checker


def _only_for_text(check: Callable[[str], bool]) -> Callable[[object], bool]:
    return lambda value: check(value) if isinstance(value, str) else True
