"""Sending one request after another over libcurl, with the guard at the place where sockets are opened."""

from typing import TypeVar

from coinrequest.urltest.errors import RequestFailed
from coinrequest.urltest.exchange import Exchange
from coinrequest.urltest.guard import AddressGuard
from coinrequest.urltest.messages import BODY_LIMIT, REDIRECT_LIMIT, Hop, Phases, Request, Response
from coinrequest.urltest.redirects import Step, Steps, answer_to

__all__ = ["BODY_LIMIT", "REDIRECT_LIMIT", "Hop", "Phases", "Request", "Response", "perform", "send"]

ValueT = TypeVar("ValueT")


def send(request: Request, guard: AddressGuard) -> Response:
    """Send a request, follow its redirects, and return the last answer, whatever its status.

    Args:
        request: what to send.
        guard: judges every address before a socket is opened to it.

    Raises:
        UrlRefused: the URL or the address behind it, of the first request or of a redirect, is not allowed.
        RequestFailed: no answer came in time, or at all.
    """
    return perform(answer_to(request), guard)


def perform(steps: Steps[ValueT], guard: AddressGuard) -> ValueT:
    """Make the exchanges that a generator asks for, one after the other, and return what it returns."""
    try:
        step = next(steps)
        while True:
            try:
                response = _exchange(step, guard)
            except RequestFailed as error:
                step = steps.throw(error)
            else:
                step = steps.send(response)
    except StopIteration as stop:
        value: ValueT = stop.value
        return value


def _exchange(step: Step, guard: AddressGuard) -> Response:
    import pycurl

    exchange = Exchange(step, guard)
    try:
        try:
            exchange.curl.perform()
        except pycurl.error as error:
            return exchange.response(*error.args[:2])
        return exchange.response()
    finally:
        exchange.close()
