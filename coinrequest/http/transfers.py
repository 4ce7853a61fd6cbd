"""Waiting for many transfers of libcurl at once, in one thread.

libcurl says which sockets to watch and when to look again, and is told what happened on them
(https://curl.se/libcurl/c/curl_multi_socket_action.html). pycurl's own `select` would not do: it cannot watch file
descriptors from 1,024 on, and spins where a process has so many. Importing this loads libcurl, as `exchange` does.
"""

import select
import sys
import threading
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
        self._multi = multi = pycurl.CurlMulti()
        multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_NOTHING)  # no connection carries two exchanges

    def _watch(self, event: int, descriptor: int, multi: object, data: object) -> None:
        """Do as CURLMOPT_SOCKETFUNCTION says."""
        mask = _MASKS.get(event)
        if mask is not None:
            self._poll.register(descriptor, mask)
        else:
            self._poll.unregister(descriptor)

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
        milliseconds = self._multi.timeout()
        timeout = _LONGEST_WAIT_MILLISECONDS if milliseconds < 0 else min(milliseconds, _LONGEST_WAIT_MILLISECONDS)
        events = self._poll.poll(timeout)
        for descriptor, mask in events:
            readable = pycurl.CSELECT_IN if mask & ~select.POLLOUT else 0  # hanging up shows when reading
            writable = pycurl.CSELECT_OUT if mask & select.POLLOUT else 0
            self._act(descriptor, readable | writable)
        if not events or self._multi.timeout() == 0:
            self._act(pycurl.SOCKET_TIMEOUT, 0)
        left = 1
        while left:
            left, succeeded, failed = self._multi.info_read()
            yield from ((curl, 0, "") for curl in succeeded)
            yield from failed

    def _act(self, descriptor: int, events: int) -> None:
        """Tell libcurl what happened, and raise what was raised in a callback of it.

        It is what a signal's handler raises, such as KeyboardInterrupt: a handler runs as soon as there is Python to
        run. pycurl hands such an exception to `sys.excepthook`, to be printed, and goes on without it.
        """
        if threading.current_thread() is not threading.main_thread():
            self._multi.socket_action(descriptor, events)  # handlers run in the main thread alone
            return
        raised: list[BaseException] = []
        hook = sys.excepthook
        try:
            sys.excepthook = lambda _kind, error, _trace: raised.append(error)
            self._multi.socket_action(descriptor, events)
        except pycurl.error:
            if not raised:
                raise
        finally:
            sys.excepthook = hook
        if raised:
            raise raised[0]

    def close(self) -> None:
        """Free what libcurl keeps; all handles have been removed."""
        self._multi.close()
