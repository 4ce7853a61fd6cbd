"""How large plain values are: the bytes of their text, as a person would count them, without the escapes of JSON."""

from collections.abc import Mapping

from coinrequest.limits import MEBIBYTE

# Of a number, a separator, a pair of brackets: what they take at least.
_SMALL = 2


class TooLarge(ValueError):
    """Values take more room than there is; the message says which, and how much there is."""


class Room:
    """How much may still be taken in, counted while it is: what was built first could fill the memory.

    Args:
        what: the name of the values in the message, such as `the inputs`.
        limit: bytes.
    """

    def __init__(self, what: str, limit: int) -> None:
        self._what = what
        self._limit = limit
        self._left = limit

    def take(self, value: object) -> None:
        """Count a value, with all that is in it.

        Raises:
            TooLarge: it does not fit any more.
        """
        waiting = [value]
        while waiting:
            current = waiting.pop()
            if isinstance(current, str):
                self._left -= len(current) if current.isascii() else len(current.encode(errors="surrogatepass"))
            self._left -= _SMALL
            if self._left < 0:
                limit = f"{self._limit / MEBIBYTE:g} MiB" if self._limit >= MEBIBYTE else f"{self._limit:,} bytes"
                raise TooLarge(f"{self._what} are larger than {limit}")
            if isinstance(current, Mapping):
                waiting.extend(current.keys())
                waiting.extend(current.values())
            elif isinstance(current, list | tuple):
                waiting.extend(current)
