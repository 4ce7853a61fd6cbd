"""JSONPath as RFC 9535 defines it, to look into an answer's document.

Regular expressions in a path are matched by RE2, in time that grows with the text alone: paths come from people, and
texts from servers, that are not known here.
"""

import functools
import itertools
import re
from typing import Any

from coinrequest import patterns

MAX_PATH_LENGTH = 1_000
MAX_MATCHES = 10_000

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
        ValueError: it is no JSONPath, the document is nested too deep for it (100 levels below `..`), or it selects
            more than 10,000 values.
    """
    from jsonpath.exceptions import JSONPathError

    query = _compiled(path)
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
        return _environment().compile(path)
    except (JSONPathError, RecursionError) as error:
        index = error.token.index if isinstance(error, JSONPathError) and error.token is not None else 0
        position = index if index >= 0 else len(path)  # the end has no index
        raise ValueError(f"{path!r} is not a JSONPath: {_message(error)} (position {position})") from error


def _message(error: Exception) -> str:
    # The library's own text of an error draws the path, and fails for some.
    return str(error.args[0]) if error.args else "it is nested too deep"


@functools.cache
def _environment() -> Any:
    from jsonpath import JSONPathEnvironment

    environment = JSONPathEnvironment(strict=True)
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
                return getattr(patterns.compiled(_as_re2(pattern)), method)(value) is not None
            except (patterns.PatternInvalid, UnicodeEncodeError):  # a lone surrogate is no text
                return False

    return RegularExpression()


def _as_re2(pattern: str) -> str:
    """Translate the one difference between I-Regexp (RFC 9485) and RE2: a dot does not stand for a carriage return."""
    return _UNESCAPED_DOT.sub(lambda found: r"[^\n\r]" if found[0] == "." else found[0], pattern)
