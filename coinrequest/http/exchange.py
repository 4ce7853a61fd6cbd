"""One HTTP exchange over libcurl: a request, its sockets and its response.

`transport` performs the exchanges. The options of libcurl are documented at
https://curl.se/libcurl/c/curl_easy_setopt.html.

This module loads libcurl, which takes a while, so `transport` imports it for the first request.
"""

import os
import re
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import certifi
import pycurl  # noqa: TID253 - `transport` imports this module late

from coinrequest.http.certificate import Certificate, parse_certificate
from coinrequest.http.content_encoding import ACCEPTED, BodyInvalid, Decompressor
from coinrequest.http.errors import CertificateRefused, RequestFailed, UrlRefused
from coinrequest.http.failures import ASK, describe_failure
from coinrequest.http.guard import AddressGuard
from coinrequest.http.headers import location_of, parse_headers
from coinrequest.http.messages import Phases, Request, Response
from coinrequest.http.redirects import Step
from coinrequest.http.target import Target
from coinrequest.http.user_agent import user_agent

_NOT_WRITTEN = 23  # CURLE_WRITE_ERROR: `_receive` ended the transfer
_TIMED_OUT = 28  # CURLE_OPERATION_TIMEDOUT
_NOT_VERIFIED = 60  # CURLE_PEER_FAILED_VERIFICATION


class Exchange:
    """An exchange that is ready to be performed, with its own handle and its own connection.

    Attributes:
        curl: the easy handle of libcurl.

    Args:
        step: the request and its target.
        guard: checks each address before a socket is opened.
    """

    def __init__(self, step: Step, guard: AddressGuard) -> None:
        self._step = step
        self._guard = guard
        self._sockets: list[socket.socket] = []
        self._was_allowed = False
        self._refusals: list[str] = []
        self._problem = ""
        self._header_lines: list[bytes] = []
        self._body: Decompressor | None = None
        self.curl = curl = pycurl.Curl()
        _configure(curl, step)
        curl.setopt(pycurl.OPENSOCKETFUNCTION, self._open_socket)
        curl.setopt(pycurl.SOCKOPTFUNCTION, self._close_originals)
        curl.setopt(pycurl.HEADERFUNCTION, self._header_lines.append)
        curl.setopt(pycurl.WRITEFUNCTION, self._receive)

    def _open_socket(self, purpose: int, address: Any) -> Any:
        """Open a socket for libcurl, if the guard allows its address; see CURLOPT_OPENSOCKETFUNCTION."""
        try:
            refusal = self._guard.refusal(address.addr[0], self._step.target.host)
            if refusal is None:
                opened = socket.socket(address.family, address.socktype, address.protocol)
                self._was_allowed = True
                self._sockets.append(opened)
                return opened
            self._refusals.append(refusal)
        except Exception as error:  # libcurl could not pass it on
            self._problem = f"the socket could not be opened: {error}"
        return pycurl.SOCKET_BAD

    def _close_originals(self, descriptor: int, purpose: int) -> int:
        """Close the original sockets: libcurl calls this next, and works on duplicates of them."""
        while self._sockets:
            self._sockets.pop().close()
        return int(pycurl.SOCKOPT_OK)

    def _receive(self, data: bytes) -> int:
        try:
            if self._body is None:
                self._body = self._new_body()
            self._body.feed(data)
        except Exception as error:  # libcurl could not pass it on
            self._problem = str(error) if isinstance(error, BodyInvalid) else f"the body cannot be read: {error!r}"
            return 0  # fewer bytes than received: libcurl ends the transfer
        return 0 if self._body.truncated else len(data)

    def _new_body(self) -> Decompressor:
        encodings = parse_headers(self._header_lines).get("content-encoding", "")
        return Decompressor(encodings, self._step.request.body_limit)

    def response(self, code: int = 0, text: str = "") -> Response:
        """Return the response of a finished transfer.

        Args:
            code: libcurl's error code; 0 for success.
            text: libcurl's error message.

        Raises:
            UrlRefused: the guard refused every address.
            CertificateRefused: the certificate of the server could not be verified.
            RequestFailed: the transfer failed for another reason.
        """
        step, curl = self._step, self.curl
        body = self._body or Decompressor("", 0)
        if code and not body.truncated:
            raise self._failure(code, text)
        try:
            body.finish()
        except BodyInvalid as invalid:
            raise self._located(RequestFailed(f"{invalid}; {ASK}")) from None
        return Response(
            url=step.target.url,
            status=curl.getinfo(pycurl.RESPONSE_CODE),
            headers=parse_headers(self._header_lines),
            location=location_of(self._header_lines),
            body=bytes(body.body),
            truncated=body.truncated,
            phases=_phases(curl),
            http_version=_VERSIONS.get(curl.getinfo(pycurl.INFO_HTTP_VERSION), ""),
            remote_address=_remote_address(curl),
            certificate=self._certificate(verified=step.request.verify_tls and not step.only_certificate),
        )

    def _failure(self, code: int, text: str) -> RequestFailed:
        if not self._was_allowed and (self._refusals or self._problem):
            return UrlRefused(self._refusals[0]) if self._refusals else RequestFailed(self._problem)
        if self._problem and code == _NOT_WRITTEN:
            return self._located(RequestFailed(f"{self._problem}; {ASK}"))
        words = describe_failure(code, text)
        if code != _NOT_VERIFIED:
            return self._located(RequestFailed(f"timed out: {words}" if code == _TIMED_OUT else words))
        failure = CertificateRefused(words)
        failure.certificate = self._certificate(verified=False)
        return self._located(failure)

    def _located(self, failure: RequestFailed) -> RequestFailed:
        failure.remote_address = _remote_address(self.curl)
        failure.status = self.curl.getinfo(pycurl.RESPONSE_CODE)
        return failure

    def _certificate(self, *, verified: bool) -> Certificate | None:
        if not self._step.request.with_certificate or self._step.target.scheme != "https":
            return None
        chain = self.curl.getinfo_raw(pycurl.INFO_CERTINFO)
        if not chain:
            return None
        fields = [(name.decode(errors="replace"), value.decode(errors="replace")) for name, value in chain[0]]
        return parse_certificate(fields, verified=verified, now=datetime.now(UTC))

    def close(self) -> None:
        """Close the connection and free the handle."""
        self.curl.close()
        self._close_originals(-1, 0)


# libcurl removes these from a path (RFC 3986, 5.2.4).
_DOT_SEGMENT = re.compile(r"/(?:\.|%2e){1,2}(?:[/?]|$)", re.IGNORECASE)
_VERSIONS = {1: "1.0", 2: "1.1", 3: "2", 30: "3"}  # CURL_HTTP_VERSION_*


def _configure(curl: Any, step: Step) -> None:
    request, target = step.request, step.target
    curl.setopt(pycurl.URL, target.url)
    curl.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    curl.setopt(pycurl.PROXY, "")  # empty: no proxy, whatever the environment says
    curl.setopt(pycurl.NOPROXY, "*")
    curl.setopt(pycurl.NOSIGNAL, 1)  # signals and threads do not mix
    # Exchanges share nothing, so that the phases of each are those of a new connection.
    curl.setopt(pycurl.FRESH_CONNECT, 1)
    curl.setopt(pycurl.FORBID_REUSE, 1)
    curl.setopt(pycurl.DNS_CACHE_TIMEOUT, 0)
    curl.setopt(pycurl.HTTP_CONTENT_DECODING, 0)  # `Decompressor` does it
    curl.setopt(pycurl.TIMEOUT_MS, max(1, round(step.timeout * 1000)))
    connect_timeout = min(step.timeout, request.connect_timeout or step.timeout)
    curl.setopt(pycurl.CONNECTTIMEOUT_MS, max(1, round(connect_timeout * 1000)))
    if request.ip_version is not None:
        curl.setopt(pycurl.IPRESOLVE, pycurl.IPRESOLVE_V4 if request.ip_version == 4 else pycurl.IPRESOLVE_V6)
    if request.resolve:
        curl.setopt(pycurl.RESOLVE, [_resolution(target, step.addresses)])
    if target.scheme == "https":
        _configure_tls(curl, step)
    if step.only_certificate:
        curl.setopt(pycurl.CONNECT_ONLY, 1)
    else:
        _configure_content(curl, request, target)


def _resolution(target: Target, addresses: Sequence[str] | None) -> str:
    """Return an entry of CURLOPT_RESOLVE; a minus removes the addresses of an earlier exchange."""
    if addresses is None:
        return f"-{target.host}:{target.port}"
    listed = ",".join(f"[{address}]" if ":" in address else address for address in addresses)
    return f"{target.host}:{target.port}:{listed}"


def _configure_tls(curl: Any, step: Step) -> None:
    curl.setopt(pycurl.SSL_SESSIONID_CACHE, 0)
    if step.request.with_certificate:
        curl.setopt(pycurl.OPT_CERTINFO, 1)
    if step.request.verify_tls and not step.only_certificate:
        # The libraries bundled with pycurl do not know where the system keeps its certificates.
        curl.setopt(pycurl.CAINFO, os.environ.get("SSL_CERT_FILE") or certifi.where())
    else:
        curl.setopt(pycurl.SSL_VERIFYPEER, 0)
        curl.setopt(pycurl.SSL_VERIFYHOST, 0)


def _configure_content(curl: Any, request: Request, target: Target) -> None:
    curl.setopt(pycurl.HTTPHEADER, _header_fields(request))
    if "%" in target.path and not _DOT_SEGMENT.search(target.path):
        # libcurl would write escapes in capitals, which breaks some signatures.
        curl.setopt(pycurl.REQUEST_TARGET, target.path)
    if target.username or target.password:
        curl.setopt(pycurl.USERNAME, target.username)
        curl.setopt(pycurl.PASSWORD, target.password)
        curl.setopt(pycurl.HTTPAUTH, pycurl.HTTPAUTH_BASIC)
    if request.method == "HEAD":
        curl.setopt(pycurl.NOBODY, 1)
    elif request.method != "GET" or request.body is not None:
        if request.body is not None or request.method in {"POST", "PUT", "PATCH"}:
            curl.setopt(pycurl.POSTFIELDS, request.body or b"")
        curl.setopt(pycurl.CUSTOMREQUEST, request.method)


def _header_fields(request: Request) -> list[str]:
    """Return the headers as libcurl reads them: a colon without a value removes one, a semicolon sends it empty."""
    given = {name.lower() for name in request.headers}
    # libcurl would call any body, and even none, a form.
    own = {"User-Agent": user_agent(), "Accept-Encoding": ACCEPTED, "Expect": "", "Content-Type": ""}
    fields = [f"{name}: {value}" for name, value in own.items() if name.lower() not in given]
    return fields + [f"{name}: {value}" if value.strip() else f"{name};" for name, value in request.headers.items()]


def _remote_address(curl: Any) -> str:
    address = curl.getinfo(pycurl.PRIMARY_IP)
    if not address:
        return ""
    return f"{f'[{address}]' if ':' in address else address}:{curl.getinfo(pycurl.PRIMARY_PORT)}"


def _phases(curl: Any) -> Phases:
    """Convert the times of libcurl, which all count from the start, to durations."""
    resolved = curl.getinfo(pycurl.NAMELOOKUP_TIME)
    connected = max(curl.getinfo(pycurl.CONNECT_TIME), resolved)
    secured = max(curl.getinfo(pycurl.APPCONNECT_TIME), connected)
    first_byte = max(curl.getinfo(pycurl.STARTTRANSFER_TIME), secured)
    total = max(curl.getinfo(pycurl.TOTAL_TIME), first_byte)
    return Phases(
        resolve=resolved,
        connect=connected - resolved,
        tls=secured - connected,
        first_byte=first_byte - secured,
        transfer=total - first_byte,
        total=total,
    )
