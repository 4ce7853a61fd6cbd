"""Many transfers of libcurl at once, in one thread.

This drives the socket interface of libcurl with `poll` (https://curl.se/libcurl/c/curl_multi_socket_action.html).
`select` of pycurl cannot watch file descriptors from 1,024 on, and spins in a process that has so many. Like
`exchange`, this module loads libcurl.
"""

import contextlib
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
    """Concurrent transfers."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._multi = multi = pycurl.CurlMulti()
        multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_NOTHING)  # no connection carries two exchanges

    def _watch(self, event: int, descriptor: int, multi: object, data: object) -> None:
        """Watch a socket or stop watching it; see CURLMOPT_SOCKETFUNCTION."""
        mask = _MASKS.get(event)
        if mask is not None:
            self._poll.register(descriptor, mask)
        else:
            with contextlib.suppress(KeyError):  # it was never watched
                self._poll.unregister(descriptor)

    def add(self, curl: Any) -> None:
        """Start the transfer of an easy handle; calls of `wait` make it progress."""
        self._multi.add_handle(curl)

    def remove(self, curl: Any) -> None:
        """Remove an easy handle, whether its transfer has finished or not."""
        self._multi.remove_handle(curl)

    def wait(self) -> Iterator[tuple[Any, int, str]]:
        """Wait for activity, at most a second, and return the transfers that have finished.

        Returns:
            For each, the easy handle, libcurl's error code (0 for success) and its message.
        """
        milliseconds = self._multi.timeout()
        timeout = _LONGEST_WAIT_MILLISECONDS if milliseconds < 0 else min(milliseconds, _LONGEST_WAIT_MILLISECONDS)
        events = self._poll.poll(timeout)
        for descriptor, mask in events:
            readable = pycurl.CSELECT_IN if mask & ~select.POLLOUT else 0  # a hang-up shows when reading
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
        """Report activity to libcurl, and raise an exception that was raised in one of its callbacks.

        A signal handler may run in a callback and raise, for example, KeyboardInterrupt. pycurl passes such an
        exception to `sys.excepthook`, which prints it, and continues.
        """
        if threading.current_thread() is not threading.main_thread():
            self._multi.socket_action(descriptor, events)  # signal handlers run in the main thread only
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
        """Free the resources of libcurl; all handles must have been removed."""
        self._multi.close()
