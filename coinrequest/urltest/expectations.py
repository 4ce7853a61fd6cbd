"""What a test expects of an answer, and what of it did not hold."""

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from coinrequest import patterns
from coinrequest.http.messages import Response
from coinrequest.urltest import json_path

MAX_PATTERN_LENGTH = patterns.MAX_LENGTH

_STATUS = re.compile(r"([1-9]\d\d)(?:\s*-\s*([1-9]\d\d))?|([1-9])[xX]{2}", re.ASCII)
# Python's codecs for names of hosts and for its own source: they refuse what they cannot read, or take minutes for it.
_NO_CHARACTER_SETS = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "utf-7"})
_CHARSET = re.compile(r"charset=\"?([A-Za-z0-9_.:-]+)", re.IGNORECASE)
_SHOWN = 200


@dataclass(frozen=True, kw_only=True)
class Expectations:
    """What must hold of the last answer for the test to pass.

    Attributes:
        status: statuses and ranges, separated by commas: `200`, `2xx`, `200-299,304`; empty: below 400.
        body_contains: text that the body has.
        body_matches: RE2 expression (https://github.com/google/re2/wiki/Syntax) that matches somewhere in the body.
        json_path: JSONPaths (RFC 9535), each with the value that one of the nodes it selects equals; `...`: any.
        headers: names, each with an RE2 expression that matches somewhere in the header's value.
        max_seconds: the longest that the last attempt, its redirects included, may take.
        certificate_days: for how many days at least the server's certificate still holds.

    Raises:
        ValueError: a field cannot be understood; the text names it and says what to write.
    """

    status: str = ""
    body_contains: str | None = None
    body_matches: str | None = None
    json_path: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    max_seconds: float | None = None
    certificate_days: float | None = None

    def __post_init__(self) -> None:
        with _named("status"):
            _ranges(self.status)
        if self.body_contains == "":
            raise ValueError("expect.body_contains: every body holds an empty text; give one, or leave it out")
        if self.body_matches is not None:
            with _named("body_matches"):
                _expression(self.body_matches)
        for path in self.json_path:
            with _named("json_path"):
                json_path.check(path)
        for name, pattern in self.headers.items():
            with _named(f"headers.{name}"):
                _expression(pattern)
        if self.max_seconds is not None and not self.max_seconds > 0:
            raise ValueError("expect.max_seconds: give seconds above 0")
        if self.certificate_days is not None and not self.certificate_days >= 0:
            raise ValueError("expect.certificate_days: give days, 0 or more")

    def accepts_status(self, status: int) -> bool:
        """Return whether a status is one of those that are expected."""
        if not self.status:
            return status < 400
        return any(low <= status <= high for low, high in _ranges(self.status))

    def failures(self, response: Response) -> tuple[str, ...]:
        """Return what does not hold of an answer, each with what was seen instead."""
        return tuple(self._failures(_Seen(response)))

    def _failures(self, seen: "_Seen") -> Iterator[str]:
        response = seen.response
        if not self.accepts_status(response.status):
            yield f"status: expected {self.status or 'below 400'}, got {response.status}"
        if self.body_contains is not None and self.body_contains not in seen.text:
            yield f"body_contains: {_shown(self.body_contains)} is not in {seen.extent}"
        if self.body_matches is not None and not _expression(self.body_matches).search(seen.text):
            yield f"body_matches: nothing in {seen.extent} matches {_shown(self.body_matches)}"
        for path, value in self.json_path.items():
            if (difference := seen.difference(path, value)) is not None:
                yield f"json_path {path}: {difference}"
        for name, pattern in self.headers.items():
            got = response.headers.get(name.lower())
            if got is None:
                yield f"header {name}: it is missing"
            elif not _expression(pattern).search(got):
                yield f"header {name}: expected a match of {_shown(pattern)}, got {_shown(got)}"
        if self.max_seconds is not None and response.phases.total > self.max_seconds:
            yield f"max_seconds: expected at most {self.max_seconds:g} s, took {response.phases.total:.3f} s"
        if self.certificate_days is not None:
            if response.certificate is None:
                yield "certificate_days: there is no certificate, for the last answer did not come over TLS"
            elif response.certificate.days_left < self.certificate_days:
                left = response.certificate.days_left
                yield f"certificate_days: expected at least {self.certificate_days:g} days, {left:.1f} are left"


class _Seen:
    """An answer, decoded when something asks for it."""

    def __init__(self, response: Response) -> None:
        self.response = response

    @functools.cached_property
    def text(self) -> str:
        return text_of(self.response)

    @functools.cached_property
    def document(self) -> Any:
        return json.loads(self.text)

    @property
    def extent(self) -> str:
        size = len(self.response.body)
        return f"the first {size} bytes of the body" if self.response.truncated else f"the body ({size} bytes)"

    def difference(self, path: str, value: Any) -> str | None:
        if self.response.truncated:
            return f"the body is longer than {len(self.response.body)} bytes, and JSON is not read in part"
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
        got = ", ".join(_shown(one) for one in found[:3])
        return f"expected {_shown(value)}, got {got}" + (f" and {len(found) - 3} more" if len(found) > 3 else "")


def text_of(response: Response) -> str:
    """Return the body as text, in the character set that the answer names and Python knows, or else UTF-8."""
    import codecs

    match = _CHARSET.search(response.headers.get("content-type", ""))
    try:
        codec = codecs.lookup(match[1]) if match else None
    except LookupError:
        codec = None
    # The same registry holds codecs that are no character sets, such as base64.
    if codec is None or not getattr(codec, "_is_text_encoding", True) or codec.name in _NO_CHARACTER_SETS:
        return response.body.decode("utf-8", "replace")
    return response.body.decode(codec.name, "replace")


class _named:  # noqa: N801 - used like a function
    """Put the field's name before the text of a ValueError."""

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
            raise ValueError(f"{part.strip()[:50]!r} is no status; write 200, 2xx or 200-299, separated by commas")
        low, high, hundreds = match.groups()
        first, last = (int(low), int(high or low)) if low else (int(hundreds) * 100, int(hundreds) * 100 + 99)
        if first > last:
            raise ValueError(f"the range {part.strip()} is empty; write the lower status first")
        ranges.append((first, last))
    return tuple(ranges)


def _expression(pattern: str) -> Any:
    """Compile an expression that takes time in proportion to the text alone."""
    if len(pattern) > MAX_PATTERN_LENGTH:
        raise ValueError(f"an expression has at most {MAX_PATTERN_LENGTH} characters")
    try:
        return patterns.compile_pattern(pattern)
    except patterns.PatternInvalid as error:
        raise ValueError(f"{_shown(pattern)} {error}") from None


def _equal(one: Any, other: Any) -> bool:
    """Compare as JSON does: numbers by value, but true is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
