"""Waiting for many transfers of libcurl at once, in one thread.

libcurl says which sockets to watch and when to look again, and is told what happened on them
(https://curl.se/libcurl/c/curl_multi_socket_action.html). pycurl's own `select` would not do: it cannot watch file
descriptors from 1,024 on, and spins where a process has so many. Importing this loads libcurl, as `exchange` does.
"""

import select
import time
from collections.abc import Iterator
from typing import Any

import pycurl  # noqa: TID253 - `transport` imports this module late

_LONGEST_WAIT_MILLISECONDS = 1_000
_MASKS = {
    pycurl.POLL_IN: select.POLLIN,
    pycurl.POLL_OUT: select.POLLOUT,
    pycurl.POLL_INOUT: select.POLLIN | select.POLLOUT,
}


class Transfers:
    """Transfers that are under way together."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._look_again: float | None = None
        self._multi = multi = pycurl.CurlMulti()
        multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        multi.setopt(pycurl.M_TIMERFUNCTION, self._schedule)
        multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_NOTHING)  # no connection carries two exchanges

    def _watch(self, event: int, descriptor: int, multi: object, data: object) -> None:
        """Do as CURLMOPT_SOCKETFUNCTION says."""
        mask = _MASKS.get(event)
        if mask is not None:
            self._poll.register(descriptor, mask)
        else:
            self._poll.unregister(descriptor)

    def _schedule(self, milliseconds: int) -> None:
        """Do as CURLMOPT_TIMERFUNCTION says."""
        self._look_again = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000

    def add(self, curl: Any) -> None:
        """Begin the transfer of an easy handle; it goes on while `wait` is called."""
        self._multi.add_handle(curl)

    def remove(self, curl: Any) -> None:
        """Let go of an easy handle, whether its transfer has ended or not."""
        self._multi.remove_handle(curl)

    def wait(self) -> Iterator[tuple[Any, int, str]]:
        """Wait until something happens, at most a second, and return the transfers that ended by it.

        Returns:
            The easy handle, libcurl's error code (0: none) and its text.
        """
        timeout: float = _LONGEST_WAIT_MILLISECONDS
        if self._look_again is not None:
            timeout = min(timeout, max(0.0, (self._look_again - time.monotonic()) * 1000))
        for descriptor, mask in self._poll.poll(timeout):
            readable = pycurl.CSELECT_IN if mask & ~select.POLLOUT else 0  # hanging up shows when reading
            self._multi.socket_action(descriptor, readable | (pycurl.CSELECT_OUT if mask & select.POLLOUT else 0))
        if self._look_again is not None and self._look_again <= time.monotonic():
            self._look_again = None
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        left = 1
        while left:
            left, succeeded, failed = self._multi.info_read()
            yield from ((curl, 0, "") for curl in succeeded)
            yield from failed

    def close(self) -> None:
        """Free what libcurl keeps; all handles have been removed."""
        self._multi.close()
