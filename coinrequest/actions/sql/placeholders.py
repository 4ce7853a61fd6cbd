"""Parameters of a statement: `:name` for every database, rewritten to the style of its driver.

Values are never inserted into the text; the driver or the server binds them. Texts that look like a parameter inside
quotes and comments, and casts (`::date`), are left alone.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property

from coinrequest.errors import CoinrequestError

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
PARAMETER_NAME = re.compile(_NAME, re.ASCII)
_WORD = r"[A-Za-z0-9_$\x80-\U0010ffff]++"
_COMMENT_MARK = re.compile(r"/\*|\*/")


class StatementInvalid(CoinrequestError, ValueError):
    """The statement does not match its parameters, or has an unclosed quote or comment."""


@dataclass(frozen=True)
class Syntax:
    """The syntax of quotes and comments in a type of database.

    Attributes:
        quoted: regular expressions for quoted texts and names.
        line_comment: a regular expression for the start of a comment that ends with the line.
        nested_comments: whether comments can be nested, as in standard SQL.
        backslash_is_sure: whether the meaning of a backslash in a quoted text is known.
    """

    quoted: tuple[str, ...]
    line_comment: str = "--"
    nested_comments: bool = False
    backslash_is_sure: bool = True

    @cached_property
    def tokens(self) -> re.Pattern[str]:
        """A regular expression for the next token at a position."""
        alternatives = (
            *(f"(?P<quoted{number}>{pattern})" for number, pattern in enumerate(self.quoted)),
            rf"(?:{self.line_comment})[^\r\n]*+",
            r"(?P<comment>/\*)",
            # The bounds of a slice, as in prices[first:last], are not a parameter.
            rf"{_WORD}(?::{_WORD})?+",
            r"::|:=",
            rf":(?P<name>{_NAME})",
            r"(?P<open>['\"`])",
            r".",
        )
        return re.compile("|".join(alternatives), re.DOTALL)


_STANDARD = (r"'(?:[^']|'')*+'", r'"(?:[^"]|"")*+"')
_BACKTICK = r"`(?:[^`]|``)*+`"

# https://www.postgresql.org/docs/current/sql-syntax-lexical.html
POSTGRES = Syntax(
    quoted=(
        r"[eE]'(?:[^'\\]|''|\\.)*+'",
        *_STANDARD,
        r"(?P<dollar>\$(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*+)?\$).*?(?P=dollar)",
    ),
    nested_comments=True,
)
# https://dev.mysql.com/doc/refman/8.4/en/string-literals.html and .../comments.html
MYSQL = Syntax(
    quoted=(r"'(?:[^'\\]|''|\\.)*+'", r'"(?:[^"\\]|""|\\.)*+"', _BACKTICK),
    line_comment=r"\#|--(?=[\s\x00-\x1f]|\Z)",
)
# https://www.sqlite.org/lang_keywords.html and https://www.sqlite.org/lang_comment.html
SQLITE = Syntax(quoted=(*_STANDARD, _BACKTICK, r"\[[^\]]*+\]"))
# Unknown databases are assumed to use standard SQL; statements on which dialects differ are refused.
OTHER = Syntax(quoted=(*_STANDARD, _BACKTICK), backslash_is_sure=False)

# The paramstyles of PEP 249; positions count from 1.
_STYLES: dict[str, Callable[[str, int], str]] = {
    "pyformat": lambda name, position: f"%({name})s",
    "format": lambda name, position: "%s",
    "named": lambda name, position: f":{name}",
    "qmark": lambda name, position: "?",
    "numeric": lambda name, position: f":{position}",
}
STYLES = tuple(_STYLES)


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A statement in the style of a driver.

    Attributes:
        text: the statement; unchanged if it has no parameters.
        names: the names of the placeholders in the order of the text, including repetitions.
    """

    text: str
    names: tuple[str, ...]


def rewrite(sql: str, given: Collection[str], syntax: Syntax, style: str) -> Rewritten:
    """Rewrite `:name` to the paramstyle of a driver.

    Args:
        sql: the statement.
        given: the names of the given parameters, which must be the ones that the statement uses.
        syntax: the syntax of the database.
        style: a paramstyle of `STYLES`. With `pyformat` and `format`, percent signs are doubled if there is any
            parameter, because the driver undoes this.

    Raises:
        StatementInvalid: a parameter is missing or unused, or a quote or comment is never closed.
    """
    write = _STYLES[style]
    parts: list[str] = []
    names: list[str] = []
    unsure = False
    position = 0
    while position < len(sql):
        found = syntax.tokens.match(sql, position)
        if found is None:  # unreachable: the last alternative matches any character
            break
        name, end = found["name"], found.end()
        if found["open"]:
            raise StatementInvalid(f"the quote {found['open']} at character {position + 1} is never closed")
        if found["comment"]:
            end = _end_of_comment(sql, position, nested=syntax.nested_comments)
        if name:
            names.append(name)
            parts.append(write(name, len(names)))
        else:
            text = sql[position:end]
            unsure |= "\\" in text and text[0] in "'\""
            parts.append(text.replace("%", "%%") if style in ("pyformat", "format") else text)
        position = end
    _check(names, given)
    if names and unsure and not syntax.backslash_is_sure:
        raise StatementInvalid("databases differ on backslashes inside quotes; pass this text as a parameter")
    return Rewritten("".join(parts), tuple(names)) if names else Rewritten(sql, ())


def _end_of_comment(sql: str, start: int, *, nested: bool) -> int:
    depth = 0
    for mark in _COMMENT_MARK.finditer(sql, start):
        if mark[0] == "*/":
            depth -= 1
        elif nested or not depth:
            depth += 1
        if not depth:
            return mark.end()
    raise StatementInvalid(f"the comment at character {start + 1} is never closed")


def _check(names: list[str], given: Collection[str]) -> None:
    missing = sorted(set(names) - set(given))
    if missing:
        raise StatementInvalid(f"the statement has :{missing[0]}, but parameters has no {missing[0]!r}")
    unused = sorted(set(given) - set(names))
    if unused:
        raise StatementInvalid(f"parameters has {unused[0]!r}, but the statement has no :{unused[0]}")
