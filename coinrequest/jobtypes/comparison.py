"""Differences between two texts, line by line, in bounded time."""

import difflib
import itertools
from collections.abc import Iterator, Sequence

# About 0.1 s. A comparison of two usual definitions takes a few thousand steps.
MAX_STEPS = 1_000_000


class _Matcher(difflib.SequenceMatcher[str]):
    """Treats the remaining lines as replaced once its steps are used up: the library takes cubic time."""

    a: Sequence[str]
    b2j: dict[str, list[int]]

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        super().__init__(None, old, new)
        places = (1 + len(self.b2j.get(line, ())) for line in old)
        self._steps = [0, *itertools.accumulate(places)]
        self._left = MAX_STEPS

    def find_longest_match(
        self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None
    ) -> difflib.Match:
        """Find it as the library does, while steps remain."""
        self._left -= self._steps[len(self.a) if ahi is None else ahi] - self._steps[alo]
        if self._left < 0:
            return difflib.Match(alo, blo, 0)
        return super().find_longest_match(alo, ahi, blo, bhi)


def unified_diff(old: Sequence[str], new: Sequence[str], old_name: str, new_name: str) -> Iterator[str]:
    """Yield a unified diff, as `difflib.unified_diff` does.

    Args:
        old: the lines of the old text, with line ends.
        new: the lines of the new text, with line ends.
        old_name: the name of the old text.
        new_name: the name of the new text.
    """
    changes = list(_Matcher(old, new).get_grouped_opcodes())
    if changes:
        yield f"--- {old_name}\n"
        yield f"+++ {new_name}\n"
    for change in changes:
        (_, first, _, start, _), (_, _, last, _, end) = change[0], change[-1]
        yield f"@@ -{_range(first, last)} +{_range(start, end)} @@\n"
        for kind, before, after, left, right in change:
            if kind == "equal":
                yield from (f" {line}" for line in old[before:after])
                continue
            yield from (f"-{line}" for line in old[before:after])
            yield from (f"+{line}" for line in new[left:right])


def _range(start: int, end: int) -> str:
    length = end - start
    # As in GNU diff, an empty range has the number of the line before it.
    return f"{start + 1}" if length == 1 else f"{start + 1 if length else start},{length}"
