"""The nearest known name, for messages about a name that is not known."""

import difflib
from collections.abc import Iterable

_CUTOFF = 0.6
_LISTED = 12


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most similar to `name`, or None if none is."""
    folded = {candidate.casefold(): candidate for candidate in known}
    # difflib is quadratic in the length: a name of kilobytes is similar to nothing anyway.
    matches = difflib.get_close_matches(name[:200].casefold(), folded, n=1, cutoff=_CUTOFF)
    return folded[matches[0]] if matches else None


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
