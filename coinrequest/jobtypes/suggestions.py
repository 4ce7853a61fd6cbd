"""Parts of messages: suggestions of similar names, quoted input, numbers with their nouns."""

import difflib
import heapq
from collections.abc import Callable, Iterable

_CUTOFF = 0.6
_LISTED = 12
_LONGEST = 60
_COMPARED = 300
_FINALISTS = 3


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most similar to `name`; None: none is similar.

    To bound the time, only the first 60 characters are compared, and of many names the 300 closest in length: users
    choose the names, and a response may have 200 suggestions.
    """
    word = name[:_LONGEST].casefold()
    folded = {candidate[:_LONGEST].casefold(): candidate for candidate in known}
    compared = heapq.nsmallest(_COMPARED, folded, key=lambda candidate: abs(len(candidate) - len(word)))
    matcher = difflib.SequenceMatcher(b=word)

    def score(candidate: str, ratio: Callable[[], float]) -> float:
        matcher.set_seq1(candidate)
        return ratio()

    # The full comparison takes quadratic time, so it is done for few names.
    finalists = heapq.nlargest(_FINALISTS, ((score(one, matcher.quick_ratio), one) for one in compared))
    best = max(((score(one, matcher.ratio), one) for _, one in finalists), default=(0.0, ""))
    return folded[best[1]] if best[0] >= _CUTOFF else None


def hint(name: str, known: Iterable[str], none_known: str = "") -> str:
    """Return the end of a message about an unknown name: a similar known name, or else all known ones.

    Args:
        name: the unknown name.
        known: the valid names.
        none_known: the text if there are none.

    Returns:
        A text to append, such as `; did you mean 'coin.prices'?` or `; known: a, b, c`.
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
    """Return user input for a message: quoted, escaped, and truncated to `limit` characters."""
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")


def counted(count: int, one: str, many: str = "") -> str:
    """Return a number with its noun, such as `1 item` or `1,000 items`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
