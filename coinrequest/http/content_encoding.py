"""Decompression of bodies, with bounds.

libcurl could do this too, but it fails every response whose `Content-Encoding` has a name that it does not know, such
as `UTF-8` or `aws-chunked`, even if the body is as plain as any.
"""

import zlib
from collections.abc import Sequence
from typing import Any

# What the header `Accept-Encoding` asks for.
ACCEPTED = "gzip, deflate"

_GZIP = frozenset({"gzip", "x-gzip"})
# Encodings (https://www.iana.org/assignments/http-parameters) that nobody asked for: nothing below them can be read.
_OPAQUE = frozenset({"br", "zstd", "compress", "x-compress", "dcb", "dcz", "exi", "pack200-gzip"})
_MOST_ENCODINGS = 5
# An encoding within another may give more bytes than the body may have, but no more than these.
_LEAST_ROOM = 65_536
# Windows of zlib: with a header of gzip or zlib, and without a header.
_AUTOMATIC, _BARE = 32 + zlib.MAX_WBITS, -zlib.MAX_WBITS
_GZIP_MAGIC = b"\x1f\x8b"


class BodyInvalid(Exception):
    """The body is not compressed as its header says."""


class Decompressor:
    """Decompresses a body as it arrives, up to a limit.

    Attributes:
        body: what has been decompressed.
        truncated: whether there is more than the limit allows; then nothing more is wanted.

    Args:
        header: the values of `Content-Encoding`, in the order in which they were applied. Names that are no encodings
            are ignored, and an encoding that is not asked for is left in place.
        limit: the number of bytes of the body.

    Raises:
        BodyInvalid: there are more than five encodings.
    """

    def __init__(self, header: str, limit: int) -> None:
        names = _applied(header)
        if len(names) > _MOST_ENCODINGS:
            raise BodyInvalid(f"the body has {len(names)} content encodings; at most {_MOST_ENCODINGS} are read")
        self._layers: Sequence[_Layer] = [_Layer(name) for name in names]
        self._limit = limit
        self.body = bytearray()
        self.truncated = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the response.

        Raises:
            BodyInvalid: they are not compressed as the header says.
        """
        room = max(self._limit, _LEAST_ROOM)
        for layer in self._layers:
            data = layer.decompress(data, room)
            self.truncated |= layer.size > room
        free = self._limit - len(self.body)
        self.body += data[:free]
        self.truncated |= len(data) > free

    def finish(self) -> None:
        """Check that the body is complete; a body that is truncated or empty is.

        Raises:
            BodyInvalid: it ends too early.
        """
        for layer in self._layers:
            if not self.truncated and not layer.is_complete:
                raise BodyInvalid(f"the body ends before its {layer.name} data does")


def _applied(header: str) -> list[str]:
    """Return the encodings that can be undone, the last one first."""
    names: list[str] = []
    for part in reversed(header.lower().split(",")):
        name = part.strip()
        if name in _OPAQUE:
            break
        if name in _GZIP or name == "deflate":
            names.append(name.removeprefix("x-"))
    return names


class _Layer:
    """One encoding.

    Attributes:
        name: `gzip` or `deflate`.
        size: the number of bytes that came out.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.size = 0
        self._start = b""
        self._zlib: Any = None

    @property
    def is_complete(self) -> bool:
        return self._zlib.eof if self._zlib is not None else not self._start

    def decompress(self, data: bytes, room: int) -> bytes:
        """Return what the data holds, and at most one byte more than there is room for."""
        if self._zlib is None:
            self._start = data = self._start + data
            if len(data) < 2:
                return b""
            self._zlib = self._open(data)
        found = bytearray()
        while data and self.size <= room:
            if self._zlib.eof:
                if self.name != "gzip" or not data.startswith(b"\x1f"):
                    break  # padding, which gunzip ignores too
                self._zlib = self._open(data)  # the next member (RFC 1952, 2.2)
            try:
                part = self._zlib.decompress(data, room + 1 - self.size)
            except zlib.error:
                raise BodyInvalid(f"the body is not {self.name} data, as its Content-Encoding says") from None
            self.size += len(part)
            found += part
            data = self._zlib.unconsumed_tail or self._zlib.unused_data
        return bytes(found)

    def _open(self, data: bytes) -> Any:
        # Some servers leave out the header of zlib (RFC 9110, 8.4.1.2), whose first two bytes are a multiple of 31.
        is_bare = self.name == "deflate" and (data[0] & 15 != 8 or int.from_bytes(data[:2]) % 31)
        return zlib.decompressobj(_BARE if is_bare and data[:2] != _GZIP_MAGIC else _AUTOMATIC)
