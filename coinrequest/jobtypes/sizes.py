"""Limits on the size of plain values, in bytes of their text as UTF-8, without the escapes of JSON."""

from collections.abc import Mapping

from coinrequest.errors import CoinrequestError
from coinrequest.limits import MEBIBYTE

# The least that a value takes: a digit and a separator, or a pair of brackets.
_SMALLEST = 2
_BITS_OF_A_DIGIT = 4


class TooLarge(CoinrequestError, ValueError):
    """Values exceed a size limit; the message names both."""


class SizeLimit:
    """Counts values while they are collected: together they could exhaust the memory.

    Args:
        what: the values, for the message, such as `the inputs`.
        limit: in bytes.
    """

    def __init__(self, what: str, limit: int) -> None:
        self._what = what
        self._limit = limit
        self._left = limit

    def add(self, value: object) -> None:
        """Count a value and everything in it.

        Raises:
            TooLarge: the limit is exceeded.
        """
        waiting = [value]
        while waiting:
            current = waiting.pop()
            if isinstance(current, str):
                self._left -= len(current) if current.isascii() else len(current.encode(errors="surrogatepass"))
            elif isinstance(current, int):
                self._left -= current.bit_length() // _BITS_OF_A_DIGIT
            self._left -= _SMALLEST
            if self._left < 0:
                limit = f"{self._limit / MEBIBYTE:g} MiB" if self._limit >= MEBIBYTE else f"{self._limit:,} bytes"
                raise TooLarge(f"{self._what} are larger than {limit}")
            if isinstance(current, Mapping):
                waiting.extend(current.keys())
                waiting.extend(current.values())
            elif isinstance(current, list | tuple):
                waiting.extend(current)
