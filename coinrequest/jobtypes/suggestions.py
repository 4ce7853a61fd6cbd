"""Parts of messages: suggestions of similar names, quoted input, numbers with their nouns."""

import difflib
import heapq
from collections.abc import Callable, Iterable

_CUTOFF = 0.6
_LISTED = 12
_LONGEST = 60
_COMPARED = 300


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most similar to `name`; None: none is similar."""
    return next(iter(similar(name, known)), None)


def similar(name: str, known: Iterable[str], limit: int = 3) -> list[str]:
    """Return up to `limit` known names that are similar to `name`, the most similar first.

    To bound the time, only the first 60 characters are compared, and of many names the 300 closest in length: users
    choose the names, and a response may have 200 suggestions.
    """
    word = name[:_LONGEST].casefold()
    folded = {candidate: candidate[:_LONGEST].casefold() for candidate in known}
    compared = heapq.nsmallest(_COMPARED, folded, key=lambda candidate: abs(len(folded[candidate]) - len(word)))
    matcher = difflib.SequenceMatcher(b=word)

    def score(candidate: str, ratio: Callable[[], float]) -> float:
        matcher.set_seq1(folded[candidate])
        return ratio()

    # The full comparison takes quadratic time, so it is done for few names.
    finalists = heapq.nlargest(limit, ((score(one, matcher.quick_ratio), one) for one in compared))
    ranked = sorted(((score(one, matcher.ratio), one) for _, one in finalists), reverse=True)
    return [one for ratio, one in ranked if ratio >= _CUTOFF]


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
