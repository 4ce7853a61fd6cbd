"""Regular expressions that people write: RE2 (https://github.com/google/re2/wiki/Syntax), small enough for anybody.

RE2 takes time in proportion to the text and to the size of the compiled expression, whatever the expression. A few
characters can compile to megabytes, so the size is bounded as well. Compiled expressions are kept by the library
alone, the last 128, which makes at most 32 MiB.
"""

import functools
import re
from typing import Any

MAX_LENGTH = 1_000
MAX_INSTRUCTIONS = 2_000
_MAX_BYTES = 256 * 1024

_TOO_LARGE = f"compiles to more than {MAX_INSTRUCTIONS:,} instructions; let it repeat less"

_UNICODE_ESCAPE = re.compile(r"(\\\\)|\\u([0-9a-fA-F]{4})", re.ASCII)


class PatternInvalid(ValueError):
    """An expression that RE2 does not understand, or that is too large; the message says which."""


def compile_pattern(expression: str) -> Any:
    """Compile an expression; its methods are those of Python's `re`.

    Args:
        expression: at most 1,000 characters; `\\u00e9` stands for a character, as in ECMAScript.

    Raises:
        PatternInvalid: it cannot be used.
    """
    import re2

    if len(expression) > MAX_LENGTH:
        raise PatternInvalid(f"is longer than {MAX_LENGTH:,} characters")
    try:
        found = re2.compile(_UNICODE_ESCAPE.sub(_as_re2, expression), _options())
    except re2.error as error:
        reason = error.args[0].decode(errors="replace")
        too_large = "too large" in reason
        raise PatternInvalid(_TOO_LARGE if too_large else f"is not an RE2 expression: {reason}") from None
    except UnicodeEncodeError:
        raise PatternInvalid("is not an RE2 expression: it holds half of a surrogate pair") from None
    if found.programsize > MAX_INSTRUCTIONS:
        raise PatternInvalid(_TOO_LARGE)
    return found


@functools.cache
def _options() -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_BYTES
    return options


def _as_re2(found: re.Match[str]) -> str:
    return found[0] if found[1] else rf"\x{{{found[2]}}}"
