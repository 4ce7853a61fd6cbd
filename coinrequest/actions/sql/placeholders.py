"""Parameters of a statement: `:name` in every database, rewritten for its driver.

A value never becomes a part of the text: the text only says where it goes, and the driver or the server binds it.
What looks like a parameter inside a quoted text, a quoted name or a comment is none, nor is a cast (`::date`).
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
PARAMETER_NAME = re.compile(_NAME, re.ASCII)
_WORD = r"[A-Za-z0-9_$\x80-\U0010ffff]++"
_COMMENT_MARK = re.compile(r"/\*|\*/")


class StatementInvalid(ValueError):
    """The statement and its parameters do not fit; the message says how."""


@dataclass(frozen=True)
class Syntax:
    """How a kind of database writes what must be left alone.

    Attributes:
        quoted: regular expressions of texts and names in quotes.
        line_comment: the regular expression of what begins a comment up to the end of the line.
        nested_comments: whether a comment may hold another, as in standard SQL.
        backslash_is_sure: whether it is known what a backslash in a quoted text means.
    """

    quoted: tuple[str, ...]
    line_comment: str = "--"
    nested_comments: bool = False
    backslash_is_sure: bool = True

    @cached_property
    def tokens(self) -> re.Pattern[str]:
        """One regular expression that finds the next token at a position."""
        alternatives = (
            *(f"(?P<quoted{number}>{pattern})" for number, pattern in enumerate(self.quoted)),
            rf"(?:{self.line_comment})[^\r\n]*+",
            r"(?P<comment>/\*)",
            # The bounds of a slice, as in prices[first:last], are no parameter.
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
# What it is not known to be is read as standard SQL, and refused where the dialects differ.
OTHER = Syntax(quoted=(*_STANDARD, _BACKTICK), backslash_is_sure=False)

# PEP 249, "paramstyle"; the position counts from 1.
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
    """A statement as the driver takes it.

    Attributes:
        text: the statement; exactly as it was if it has no parameter.
        names: the name of each placeholder in the order of the text, repetitions included.
    """

    text: str
    names: tuple[str, ...]


def rewrite(sql: str, given: Collection[str], syntax: Syntax, style: str) -> Rewritten:
    """Rewrite `:name` to what a driver takes.

    Args:
        sql: the statement.
        given: the names for which there are values; each has to be used, and each one used has to be given.
        syntax: the kind of database.
        style: the driver's, one of `STYLES`. With `pyformat` and `format` a percent sign is doubled, as the driver
            undoes it, if there is any parameter at all.

    Raises:
        StatementInvalid: a name is missing or not used, or a quote or comment is never closed.
    """
    write = _STYLES[style]
    parts: list[str] = []
    names: list[str] = []
    unsure = False
    position = 0
    while position < len(sql):
        found = syntax.tokens.match(sql, position)
        if found is None:  # not reached: the last alternative takes any character
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
        raise StatementInvalid("databases differ about a backslash inside quotes; give this text as a parameter too")
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
        raise StatementInvalid(f"the statement has :{missing[0]}, and parameters has no {missing[0]!r}")
    unused = sorted(set(given) - set(names))
    if unused:
        raise StatementInvalid(f"parameters has {unused[0]!r}, and the statement has no :{unused[0]}")
