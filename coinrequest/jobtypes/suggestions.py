"""The nearest known name, for messages about a name that is not known."""

import difflib
import heapq
from collections.abc import Callable, Iterable

_CUTOFF = 0.6
_LISTED = 12
_LONGEST = 60
_COMPARED = 300
_FINALISTS = 3


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most similar to `name`, or None if none is.

    Of long names the first 60 characters count, and of many names the 300 that are the most alike in length: people
    choose them, and an answer holds up to 200 suggestions.
    """
    word = name[:_LONGEST].casefold()
    folded = {candidate[:_LONGEST].casefold(): candidate for candidate in known}
    compared = heapq.nsmallest(_COMPARED, folded, key=lambda candidate: abs(len(candidate) - len(word)))
    matcher = difflib.SequenceMatcher(b=word)

    def score(candidate: str, measure: Callable[[], float]) -> float:
        matcher.set_seq1(candidate)
        return measure()

    # The whole comparison takes time in proportion to the square of the length, so only a few reach it.
    finalists = heapq.nlargest(_FINALISTS, ((score(one, matcher.quick_ratio), one) for one in compared))
    best = max(((score(one, matcher.ratio), one) for _, one in finalists), default=(0.0, ""))
    return folded[best[1]] if best[0] >= _CUTOFF else None


def hint(name: str, known: Iterable[str], none_known: str = "") -> str:
    """Return the end of a message about an unknown name: the nearest known one, or else all of them.

    Args:
        name: the unknown name.
        known: the names that would have been right.
        none_known: what to say if there is none.

    Returns:
        Such as `; did you mean 'coin.prices'?` or `; known are a, b and c`, ready to be appended.
    """
    candidates = sorted(set(known))
    if not candidates:
        return f"; {none_known}" if none_known else ""
    match = nearest(name, candidates)
    if match is not None:
        return f"; did you mean {match!r}?"
    listed = ", ".join(candidates[:_LISTED])
    return f"; known: {listed}" + (", …" if len(candidates) > _LISTED else "")


def quoted(text: str, limit: int = 60) -> str:
    """Return user text for a message: quoted, control characters escaped, and cut to `limit` characters."""
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")
