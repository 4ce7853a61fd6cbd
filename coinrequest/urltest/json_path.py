"""JSONPath (RFC 9535) with limits on its running time.

Neither the authors of paths nor the servers that send documents are trusted. RE2 matches the regular expressions in a
path in linear time, and `find` limits the depth, the visited values and the matches.
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
    """Check a JSONPath.

    Args:
        path: a path such as `$.orders[0].id`; at most 1,000 characters.

    Raises:
        ValueError: it is not a JSONPath; the message has the position, counted from 0.
    """
    _compiled(path)


def selects_one(path: str) -> bool:
    """Return whether a path selects one value at most, because it has only names and indexes (RFC 9535, 2.3.5.1).

    Raises:
        ValueError: it is not a JSONPath.
    """
    return bool(_compiled(path).singular_query())


def find(path: str, document: Any) -> list[Any]:
    """Return the values that a path selects, in the order of the document.

    Args:
        path: a JSONPath.
        document: a result of `json.loads`.

    Raises:
        ValueError: it is not a JSONPath, the document is nested too deeply for it (more than 100 levels below `..`),
            it selects more than 10,000 values, or `..` visits more than 500,000.
    """
    from jsonpath.exceptions import JSONPathError

    query = _compiled(path)
    _visits.set(itertools.count(1))
    if isinstance(document, str):
        # The library would parse a string as JSON again; a string has no other node than the root.
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
        raise ValueError(f"{path!r} is not a JSONPath: it must start with $ (position 0)")
    try:
        query = _environment().compile(path)
    except (JSONPathError, RecursionError) as error:
        index = error.token.index if isinstance(error, JSONPathError) and error.token is not None else 0
        position = index if index >= 0 else len(path)  # the end of the path has the index -1
        raise ValueError(f"{path!r} is not a JSONPath: {_message(error)} (position {position})") from error
    except (OverflowError, ValueError) as error:  # of the library's `int`: `$[?@.a == 1e400]`, `$[0:1e400]`
        raise ValueError(f"{path!r} is not a JSONPath: a number in it is too large, or not a whole one") from error
    _refuse_wide_queries(query)
    return query


def _refuse_wide_queries(query: Any) -> None:
    """Refuse filters that search the whole document for each value, which takes quadratic time."""
    from jsonpath.filter import RootFilterQuery

    waiting = [selector for segment in query.segments for selector in segment.selectors]
    while waiting:
        part = waiting.pop()
        inner = getattr(part, "path", None)
        if inner is not None:
            if isinstance(part, RootFilterQuery) and not inner.singular_query():
                raise ValueError(f"{str(inner)[:100]!r} in a filter must have only names and indexes")
            waiting += [selector for segment in inner.segments for selector in segment.selectors]
        elif hasattr(part, "expression"):
            waiting.append(part.expression)
        if hasattr(part, "children") and inner is None:
            waiting += part.children()


def _message(error: Exception) -> str:
    # str(error) shows the position in the path, and fails for some paths.
    return str(error.args[0]) if error.args else "it is nested too deeply"


@functools.cache
def _environment() -> Any:
    from jsonpath import JSONPathEnvironment

    class Environment(JSONPathEnvironment):
        @property
        def max_recursion_depth(self) -> int:  # type: ignore[override]
            """The library reads this for each value that `..` visits, which multiply with several `..`."""
            if next(_visits.get()) > MAX_VISITS:
                raise ValueError(f"it visits more than {MAX_VISITS:,} values")
            return MAX_DEPTH

    environment = Environment(strict=True)
    environment.function_extensions["match"] = _regular_expression("fullmatch")
    environment.function_extensions["search"] = _regular_expression("search")
    return environment


def _regular_expression(method: str) -> Any:
    """Return the function `match` or `search` (RFC 9535, 2.4.6 and 2.4.7); an invalid pattern matches nothing."""
    from jsonpath.function_extensions import ExpressionType, FilterFunction

    class RegularExpression(FilterFunction):
        arg_types = [ExpressionType.VALUE, ExpressionType.VALUE]  # noqa: RUF012 - the library's interface
        return_type = ExpressionType.LOGICAL

        def __call__(self, value: object, pattern: object) -> bool:
            if not isinstance(value, str) or not isinstance(pattern, str):
                return False
            try:
                return getattr(patterns.compile_pattern(_to_re2(pattern)), method)(value) is not None
            except (patterns.PatternInvalid, UnicodeEncodeError):  # RE2 cannot encode lone surrogates
                return False

    return RegularExpression()


def _to_re2(pattern: str) -> str:
    """Translate I-Regexp (RFC 9485) to RE2. The only difference is that a dot does not match a carriage return."""
    if len(pattern) > patterns.MAX_LENGTH:
        return pattern  # It will be refused for its length. A document may contain a pattern of megabytes.
    return _UNESCAPED_DOT.sub(lambda found: r"[^\n\r]" if found[0] == "." else found[0], pattern)
