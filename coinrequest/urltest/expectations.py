"""Expectations of a response, and how it fails them."""

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from coinrequest import patterns
from coinrequest.http.messages import Response
from coinrequest.text import storable_text
from coinrequest.urltest import json_path

if TYPE_CHECKING:
    from coinrequest.http.charsets import DecodedText

MAX_PATTERN_LENGTH = patterns.MAX_LENGTH

_STATUS = re.compile(r"([1-9]\d\d)(?:\s*-\s*([1-9]\d\d))?|([1-9])[xX]{2}", re.ASCII)
_MAX_QUOTED = 200


@dataclass(frozen=True, kw_only=True)
class Expectations:
    """What the last response must fulfil for the test to pass.

    Attributes:
        status: statuses and ranges, separated by commas: `200`, `2xx`, `200-299,304`; empty for any below 400.
        body_contains: a text that the body contains.
        body_matches: an RE2 expression (https://github.com/google/re2/wiki/Syntax) that matches somewhere in the body.
        json_path: JSONPaths (RFC 9535), each with the value that one of the selected nodes equals; `...` for any value.
        headers: header names, each with an RE2 expression that matches somewhere in the value.
        max_seconds: the longest duration of the last attempt, including redirects.
        certificate_days: the number of days for which the certificate of the server must still be valid.

    Raises:
        ValueError: a field is invalid; the message names it and the remedy.
    """

    status: str = ""
    body_contains: str | None = None
    body_matches: str | None = None
    json_path: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    max_seconds: float | None = None
    certificate_days: float | None = None

    def __post_init__(self) -> None:
        with _field("status"):
            _ranges(self.status)
        if self.body_contains == "":
            raise ValueError("expect.body_contains: every body contains an empty text; give a text, or leave it out")
        if self.body_matches is not None:
            with _field("body_matches"):
                _expression(self.body_matches)
        for path in self.json_path:
            with _field("json_path"):
                json_path.check(path)
        for name, pattern in self.headers.items():
            with _field(f"headers.{name}"):
                _expression(pattern)
        if self.max_seconds is not None and not self.max_seconds > 0:
            raise ValueError("expect.max_seconds: must be a number of seconds above 0")
        if self.certificate_days is not None and not self.certificate_days >= 0:
            raise ValueError("expect.certificate_days: must be a number of days, 0 or more")

    def accepts_status(self, status: int) -> bool:
        """Return whether a status is an expected one."""
        if not self.status:
            return status < 400
        return any(low <= status <= high for low, high in _ranges(self.status))

    def failures(self, response: Response) -> tuple[str, ...]:
        """Return the expectations that a response fails, each with the actual value."""
        return tuple(self._failures(_Body(response)))

    def _failures(self, body: "_Body") -> Iterator[str]:
        response = body.response
        if not self.accepts_status(response.status):
            yield f"status: expected {self.status or 'below 400'}, got {response.status}"
        if self.body_contains is not None and self.body_contains not in body.text:
            yield f"body_contains: {_quoted(self.body_contains)} is not in {body.extent}"
        if self.body_matches is not None and not _expression(self.body_matches).search(body.text):
            yield f"body_matches: nothing in {body.extent} matches {_quoted(self.body_matches)}"
        for path, value in self.json_path.items():
            if (difference := body.difference(path, value)) is not None:
                yield f"json_path {path}: {difference}"
        for name, pattern in self.headers.items():
            got = response.headers.get(name.lower())
            if got is None:
                yield f"header {name}: it is missing"
            elif not _expression(pattern).search(got):
                yield f"header {name}: expected a match for {_quoted(pattern)}, got {_quoted(got)}"
        if self.max_seconds is not None and response.phases.total > self.max_seconds:
            yield f"max_seconds: expected at most {self.max_seconds:g} s, took {response.phases.total:.3f} s"
        if self.certificate_days is not None:
            if response.certificate is None:
                yield "certificate_days: there is no certificate, because the last response did not use TLS"
            elif response.certificate.days_left < self.certificate_days:
                left = response.certificate.days_left
                yield f"certificate_days: expected at least {self.certificate_days:g} days, {left:.1f} are left"


class _Body:
    """The body of a response, decoded on first use."""

    def __init__(self, response: Response) -> None:
        self.response = response

    @functools.cached_property
    def decoded(self) -> "DecodedText":
        return self.response.decoded()

    @property
    def text(self) -> str:
        return self.decoded.text

    @functools.cached_property
    def document(self) -> Any:
        return self.response.json()

    @property
    def extent(self) -> str:
        size = len(self.response.body)
        odd = "" if self.decoded.exact else f", some of which are not {self.decoded.charset}"
        return (
            f"the first {size} bytes of the body{odd}" if self.response.truncated else f"the body ({size} bytes{odd})"
        )

    def difference(self, path: str, value: Any) -> str | None:
        if self.response.truncated:
            return f"the body is longer than {len(self.response.body)} bytes, so its JSON cannot be parsed"
        try:
            document = self.document
        except (ValueError, RecursionError):
            return "the body is not JSON"
        try:
            found = json_path.find(path, document)
        except ValueError as error:
            return str(error)
        if not found:
            return "it selects nothing"
        if value is ... or any(_equal(value, one) for one in found):
            return None
        got = ", ".join(_quoted(one) for one in found[:3])
        return f"expected {_quoted(value)}, got {got}" + (f" and {len(found) - 3} more" if len(found) > 3 else "")


class _field:  # noqa: N801 - used like a function
    """Put the name of a field before the message of a ValueError."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ValueError):
            raise ValueError(f"expect.{self._name}: {error}") from error


@functools.lru_cache(maxsize=256)
def _ranges(status: str) -> tuple[tuple[int, int], ...]:
    ranges = []
    for part in status.split(",") if status else ():
        match = _STATUS.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"{part.strip()[:50]!r} is not a status; write 200, 2xx or 200-299, separated by commas")
        low, high, hundreds = match.groups()
        first, last = (int(low), int(high or low)) if low else (int(hundreds) * 100, int(hundreds) * 100 + 99)
        if first > last:
            raise ValueError(f"the range {part.strip()} is empty; write the lower status first")
        ranges.append((first, last))
    return tuple(ranges)


def _expression(pattern: str) -> Any:
    if len(pattern) > MAX_PATTERN_LENGTH:
        raise ValueError(f"must have at most {MAX_PATTERN_LENGTH} characters")
    try:
        return patterns.compile_pattern(pattern)
    except patterns.PatternInvalid as error:
        raise ValueError(f"{_quoted(pattern)} {error}") from None


def _equal(one: Any, other: Any) -> bool:
    """Compare as JSON does: numbers by value, but true is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _quoted(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else storable_text(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= _MAX_QUOTED else f"{text[:_MAX_QUOTED]}..."
