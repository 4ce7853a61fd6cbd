"""What to write instead, when YAML cannot be read or is read as something that was not meant: mostly, quotes."""

import re

# Where a value may begin: at the start of its line, or after a name, in a list or in braces.
_BEFORE = r"(?:^|(?<=[:,\[{-])) *"
# A value that YAML takes for an alias, an anchor, a tag, a directive, or a block of text.
_SPECIAL = re.compile(rf"{_BEFORE}([*&!%@`|>].*?)(?= *(?:, *[\w-]+:(?: |$)|[}}\]]|$))")
_REFERENCE = re.compile(r"\{\{.*?\}\}[^,\]}]*")
_QUOTE = re.compile(r"'[^']*'\w")
_LONGEST = 60
# Of a line; the expressions take time in proportion to the square of a longer one.
_EXAMINED = 1000


def remedy(text: str, line: int, column: int) -> tuple[str, int] | None:
    """Return what to write instead, and the column of it; None if that is unclear.

    Args:
        text: the document.
        line: of the error, counted from 0.
        column: of the error, counted from 0.
    """
    lines = text.splitlines()
    if line >= len(lines) or column > _EXAMINED:
        return None
    here = lines[line][:_EXAMINED]
    if "\t" in here[: column + 1] and not here[:column].strip():
        return "a tab cannot indent; use spaces", here.index("\t")
    for reference in _REFERENCE.finditer(here):
        if reference.start() <= column <= reference.end():
            return f"a reference needs quotes, as in {_quoted(reference[0])}", reference.start()
    for special in reversed([*_SPECIAL.finditer(here)]):
        if special.start(1) <= column:
            value = special[1].strip()
            return f"a value that begins with {value[0]!r} needs quotes, as in {_quoted(value)}", special.start(1)
    if "\\" in here[max(0, column - 1) : column + 1]:
        return "a backslash in double quotes begins an escape; use single quotes, or write it twice", column
    if quote := _QUOTE.search(here):
        return "a ' within single quotes is written twice, as in 'it''s'", quote.end() - 2
    name, separator, value = here.partition(": ")
    if separator and ": " in value and not value.lstrip().startswith(("{", "[", '"', "'")):
        return f"a text with ': ' in it needs quotes, as in {_quoted(value)}", len(name) + len(separator)
    return None


def _quoted(value: str) -> str:
    value = value.strip()
    quote = "'" if '"' in value else '"'
    return f"{quote}{value[:_LONGEST]}{'…' if len(value) > _LONGEST else ''}{quote}"
