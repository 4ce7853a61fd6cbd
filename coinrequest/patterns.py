"""Regular expressions that users write, in the syntax of RE2 (https://github.com/google/re2/wiki/Syntax).

RE2 needs time in proportion to the length of the text and the size of the compiled expression, so no expression can
block a process. Because a few characters can compile to megabytes, the compiled size is limited too. The library
caches the last 128 compiled expressions, which take 32 MiB at most.
"""

import functools
import re
from typing import Any

from coinrequest.errors import CoinrequestError

MAX_LENGTH = 1_000
MAX_INSTRUCTIONS = 2_000
_MAX_BYTES = 256 * 1024

_TOO_LARGE = f"compiles to more than {MAX_INSTRUCTIONS:,} instructions; use fewer or smaller repetitions"

_UNICODE_ESCAPE = re.compile(r"(\\\\)|\\u([0-9a-fA-F]{4})", re.ASCII)


class PatternInvalid(CoinrequestError, ValueError):
    """The expression is not valid in RE2, or it is too large."""


def compile_pattern(expression: str) -> Any:
    """Compile an expression to an object with the methods of `re.Pattern`.

    Args:
        expression: at most 1,000 characters; `\\u00e9` stands for a character, as in ECMAScript.

    Raises:
        PatternInvalid: the expression is invalid or too large.
    """
    import re2

    if len(expression) > MAX_LENGTH:
        raise PatternInvalid(f"is longer than {MAX_LENGTH:,} characters")
    try:
        pattern = re2.compile(_UNICODE_ESCAPE.sub(_re2_escape, expression), _options())
    except re2.error as error:
        reason = error.args[0].decode(errors="replace")
        too_large = "too large" in reason
        raise PatternInvalid(_TOO_LARGE if too_large else f"is not an RE2 expression: {reason}") from None
    except UnicodeEncodeError:
        raise PatternInvalid("is not an RE2 expression: it contains a lone surrogate") from None
    if pattern.programsize > MAX_INSTRUCTIONS:
        raise PatternInvalid(_TOO_LARGE)
    return pattern


@functools.cache
def _options() -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_BYTES
    return options


def _re2_escape(match: re.Match[str]) -> str:
    return match[0] if match[1] else rf"\x{{{match[2]}}}"
