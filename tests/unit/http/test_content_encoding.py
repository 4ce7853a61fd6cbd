"""Bodies that are compressed, or only said to be."""

import contextlib
import gzip
import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinrequest.http.content_encoding import BodyInvalid, Decompressor


def gzipped(data: bytes) -> bytes:
    """Compress without the time, so that the names of tests are the same in every process."""
    return gzip.compress(data, mtime=0)


ZIPPED = gzipped(b"hello")
BARE = zlib.compress(b"hello")[2:-4]


def decompressed(header: str, data: bytes, limit: int = 1_000, step: int = 65_536) -> Decompressor:
    found = Decompressor(header, limit)
    for start in range(0, len(data), step):
        if not found.truncated:
            found.feed(data[start : start + step])
    found.finish()
    return found


@pytest.mark.parametrize("step", [1, 2, 3, 100])
@pytest.mark.parametrize(
    ("header", "data"),
    [
        ("", b"hello"),
        ("identity", b"hello"),
        ("none", b"hello"),
        ("UTF-8", b"hello"),
        ("aws-chunked", b"hello"),
        ("binary, amz-1.0", b"hello"),
        (",,", b"hello"),
        ("gzip;q=1", b"hello"),
        ("gzip", ZIPPED),
        ("x-gzip", ZIPPED),
        ("GZIP", ZIPPED),
        (" Gzip ,identity", ZIPPED),
        ("gzip, aws-chunked", ZIPPED),
        ("utf-8, gzip", ZIPPED),
        ("gzip, gzip", gzipped(ZIPPED)),
        ("deflate, x-gzip", gzipped(BARE)),
        ("deflate", zlib.compress(b"hello")),
        ("deflate", BARE),
        ("deflate", ZIPPED),
        ("gzip", ZIPPED + b"\0\0\0padding"),
        ("gzip", gzipped(b"hel") + gzipped(b"lo")),
    ],
)
def test_a_body_is_read_whatever_its_encoding_is_called(header: str, data: bytes, step: int) -> None:
    found = decompressed(header, data, step=step)
    assert (bytes(found.body), found.truncated) == (b"hello", False)


@pytest.mark.parametrize("header", ["br", "zstd", "compress", "x-compress", "gzip, br", "ZSTD, identity"])
def test_an_encoding_that_nobody_asked_for_stays_as_it_is(header: str) -> None:
    assert decompressed(header, b"(\xb5/\xfd").body == b"(\xb5/\xfd"


@pytest.mark.parametrize("header", ["gzip", "deflate", "gzip, gzip", "br"])
def test_a_response_without_a_body_is_complete(header: str) -> None:
    assert decompressed(header, b"").body == b""


@pytest.mark.parametrize(
    ("header", "data", "message"),
    [
        ("gzip", b"hello", "is not gzip data"),
        ("gzip, gzip", ZIPPED, "is not gzip data"),
        ("deflate", b"\xff" * 9, "is not deflate data"),
        ("gzip", ZIPPED[:-9], "ends before its gzip data"),
        ("gzip", b"\x1f", "ends before its gzip data"),
        ("deflate", zlib.compress(b"hello")[:-5], "ends before its deflate data"),
        (", ".join(["gzip"] * 6), b"", "has 6 content encodings; at most 5"),
    ],
)
def test_what_is_not_compressed_as_it_says_is_an_error(header: str, data: bytes, message: str) -> None:
    with pytest.raises(BodyInvalid, match=message):
        decompressed(header, data)


@pytest.mark.parametrize(("size", "truncated"), [(1_000, False), (1_001, True), (10_000_000, True)])
@pytest.mark.parametrize("header", ["", "gzip", "deflate", "gzip, gzip", "gzip, deflate, gzip, gzip, gzip"])
def test_no_more_than_the_limit_is_kept(header: str, size: int, truncated: bool) -> None:
    data = b"\0" * size
    for name in filter(None, header.split(", ")):
        data = gzipped(data) if name == "gzip" else zlib.compress(data)
    started = time.process_time()
    found = decompressed(header, data)
    assert (len(found.body), found.truncated) == (min(size, 1_000), truncated)
    assert time.process_time() - started < 1


def test_a_bomb_that_explodes_in_the_middle_is_bounded() -> None:
    """The innermost data gives nothing, however much of it there is."""
    data = gzipped(gzipped(b"\0\0\0\xff\xff" * 20_000_000))  # empty blocks
    started = time.process_time()
    assert decompressed("deflate, gzip, gzip", data).truncated
    assert time.process_time() - started < 1


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate", "gzip, deflate", "odd"]))
def test_any_bytes_are_a_body_or_an_error(data: bytes, header: str) -> None:
    with contextlib.suppress(BodyInvalid):
        assert len(decompressed(header, data, step=7).body) <= 1_000
