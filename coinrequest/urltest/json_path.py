"""JSONPath as RFC 9535 defines it, to look into an answer's document.

Regular expressions in a path are matched by RE2, in time that grows with the text alone: paths come from people, and
texts from servers, that are not known here.
"""

import functools
import itertools
import re
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from coinrequest import patterns

MAX_PATH_LENGTH = 1_000
MAX_MATCHES = 10_000
MAX_VISITS = 500_000
MAX_DEPTH = 100

_visits: ContextVar[Iterator[int]] = ContextVar("visits")

_UNESCAPED_DOT = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\.", re.DOTALL)


def check(path: str) -> None:
    """Refuse what is no JSONPath.

    Args:
        path: such as `$.orders[0].id`; at most 1,000 characters.

    Raises:
        ValueError: it is none; the text says at which position, counted from 0.
    """
    _compiled(path)


def selects_one(path: str) -> bool:
    """Return whether a path can select one value at most: only names and indexes (RFC 9535, 2.3.5.1).

    Raises:
        ValueError: it is no JSONPath.
    """
    return bool(_compiled(path).singular_query())


def find(path: str, document: Any) -> list[Any]:
    """Return the values that a path selects, in the document's order.

    Args:
        path: a JSONPath.
        document: as `json.loads` makes it.

    Raises:
        ValueError: it is no JSONPath, the document is nested too deep for it (100 levels below `..`), it selects more
            than 10,000 values, or `..` goes through more than 500,000.
    """
    from jsonpath.exceptions import JSONPathError

    query = _compiled(path)
    _visits.set(itertools.count(1))
    if isinstance(document, str):
        # The library would read a text as JSON once more; nothing but the root itself is in one.
        return [] if query.segments else [document]
    try:
        found = [match.obj for match in itertools.islice(query.finditer(document), MAX_MATCHES + 1)]
    except (JSONPathError, RecursionError) as error:
        raise ValueError(f"the document cannot be searched by {path!r}: {_message(error)}") from error
    if len(found) > MAX_MATCHES:
        raise ValueError(f"{path!r} selects more than {MAX_MATCHES} values")
    return found


@functools.lru_cache(maxsize=32)
def _compiled(path: str) -> Any:
    from jsonpath.exceptions import JSONPathError

    if len(path) > MAX_PATH_LENGTH:
        raise ValueError(f"a JSONPath has at most {MAX_PATH_LENGTH} characters")
    if not path.startswith("$"):
        raise ValueError(f"{path!r} is not a JSONPath: it starts with $ (position 0)")
    try:
        query = _environment().compile(path)
        _refuse_wide_queries(query)
        return query
    except (JSONPathError, RecursionError) as error:
        index = error.token.index if isinstance(error, JSONPathError) and error.token is not None else 0
        position = index if index >= 0 else len(path)  # the end has no index
        raise ValueError(f"{path!r} is not a JSONPath: {_message(error)} (position {position})") from error


def _refuse_wide_queries(query: Any) -> None:
    """Refuse a filter that goes through the whole document for each value that it is asked about."""
    from jsonpath.filter import RootFilterQuery

    waiting = [selector for segment in query.segments for selector in segment.selectors]
    while waiting:
        part = waiting.pop()
        inner = getattr(part, "path", None)
        if inner is not None:
            if isinstance(part, RootFilterQuery) and not inner.singular_query():
                raise ValueError(f"{str(inner)[:100]!r} in a filter may select one value only: names and indexes")
            waiting += [selector for segment in inner.segments for selector in segment.selectors]
        elif hasattr(part, "expression"):
            waiting.append(part.expression)
        if hasattr(part, "children") and inner is None:
            waiting += part.children()


def _message(error: Exception) -> str:
    # The library's own text of an error draws the path, and fails for some.
    return str(error.args[0]) if error.args else "it is nested too deep"


@functools.cache
def _environment() -> Any:
    from jsonpath import JSONPathEnvironment

    class Environment(JSONPathEnvironment):
        @property
        def max_recursion_depth(self) -> int:  # type: ignore[override]
            """The library asks for each value that `..` goes through, and several of them multiply."""
            if next(_visits.get()) > MAX_VISITS:
                raise ValueError(f"it goes through more than {MAX_VISITS:,} values")
            return MAX_DEPTH

    environment = Environment(strict=True)
    environment.function_extensions["match"] = _regular_expression("fullmatch")
    environment.function_extensions["search"] = _regular_expression("search")
    return environment


def _regular_expression(method: str) -> Any:
    """Make the function `match` or `search` (RFC 9535, 2.4.6 and 2.4.7); a pattern that is none matches nothing."""
    from jsonpath.function_extensions import ExpressionType, FilterFunction

    class RegularExpression(FilterFunction):
        arg_types = [ExpressionType.VALUE, ExpressionType.VALUE]  # noqa: RUF012 - the library's interface
        return_type = ExpressionType.LOGICAL

        def __call__(self, value: object, pattern: object) -> bool:
            if not isinstance(value, str) or not isinstance(pattern, str):
                return False
            try:
                return getattr(patterns.compile_pattern(_as_re2(pattern)), method)(value) is not None
            except (patterns.PatternInvalid, UnicodeEncodeError):  # a lone surrogate is no text
                return False

    return RegularExpression()


def _as_re2(pattern: str) -> str:
    """Translate the one difference between I-Regexp (RFC 9485) and RE2: a dot does not stand for a carriage return."""
    if len(pattern) > patterns.MAX_LENGTH:
        return pattern  # It is refused for its length; a document may name one of megabytes.
    return _UNESCAPED_DOT.sub(lambda found: r"[^\n\r]" if found[0] == "." else found[0], pattern)
