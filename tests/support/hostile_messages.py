"""Messages that no honest program sends, made from good ones by chance; the same seed makes the same ones."""

import base64
import bz2
import contextlib
import gzip
import json
import lzma
import uuid
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

DEEP = "[" * 5000
# Large when decompressed, as in a decompression bomb, but small enough for a test.
_ZEROS = bytes(3_000_000)
_TIMES = ("9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+01:00", "2030-01-31", "now", 1e300, 10**30, -1)
_TEXTS = ("", "\x00", "\ud800", "\udfff\ud800", "\u202e", "🪙", "%00", "../../", "a" * 3000, "\x1b[2J", "{{ params }}")
_NUMBERS = (0, -1, 2**31, 2**63, 2**64, -(2**70), 10**400, 1e308, -0.0, True)
_ODD: tuple[Any, ...] = (
    *(None, [], {}, [[]], [None], {"": None}),
    *_TEXTS,
    *_NUMBERS,
    {"__type__": "uuid", "__value__": {"hex": "zz"}},
    {"__type__": "decimal", "__value__": "1e999999999"},
    {"__type__": "datetime", "__value__": 4},
    {"__type__": "base64", "__value__": "!"},
    {"__type__": "nothing", "__value__": None},
)
_ENCODINGS = (
    *("utf-16", "utf-7", "idna", "punycode", "base64", "hex", "zlib", "bz2", "rot13", "undefined", "unicode_escape"),
    *("latin-1", "UTF-8", "ascii", "mbcs", "cp65001", "\x00", "", 4, [], {}, None, "a" * 2000, "\ud800"),
)
_COMPRESSIONS = (
    *("gzip", "application/x-gzip", "zlib", "bzip2", "application/x-bz2", "lzma", "application/x-lzma", "zstd"),
    *("brotli", "nothing", "", 4, 4.5, True, [], ["gzip"], {}, {"a": "b"}, "\x00", "a" * 5000),
)


@dataclass
class Hostile:
    """A message to be published.

    Attributes:
        body: the bytes.
        content_type: and the other properties, any of them anything.
        raw: what a list of Redis gets in the place of kombu's envelope.
    """

    body: bytes
    content_type: Any = "application/json"
    content_encoding: Any = "utf-8"
    headers: Any = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)
    raw: bytes | None = None

    def envelope(self) -> bytes:
        """Return the message as kombu writes it into a list of Redis."""
        if self.raw is not None:
            return self.raw
        properties = {
            "body_encoding": "base64",
            "delivery_mode": 2,
            "delivery_info": {"exchange": "job-exchange", "routing_key": "job"},
            "delivery_tag": "8f6e2f52-8c3c-4d30-a8fb-7b9d4cf0a6b5",
            "priority": 0,
            **self.properties,
        }
        envelope = {
            "body": base64.b64encode(self.body).decode(),
            "content-encoding": self.content_encoding,
            "content-type": self.content_type,
            "headers": self.headers,
            "properties": properties,
        }
        return json.dumps(envelope).encode()


def good(job_type: str, job_id: str | None = None) -> dict[str, Any]:
    """Return a job that is stored."""
    return {"job_id": job_id or str(uuid.uuid4()), "job_type": job_type, "params": {}, "labels": {"team": "a"}}


def hostile_messages(seed: int, count: int, job_type: str) -> Iterator[Hostile]:
    """Yield so many messages; each is a good one that was changed in one to three ways."""
    random = Random(seed)  # noqa: S311 - to be repeated
    for _ in range(count):
        job_id = str(uuid.UUID(int=random.getrandbits(128), version=4))
        found = Hostile(json.dumps(good(job_type, job_id)).encode())
        for change in random.choices(_CHANGES, k=random.randint(1, 3)):
            # What is broken already may not be changed further.
            with contextlib.suppress(ValueError, TypeError, AttributeError, LookupError, RecursionError):
                change(random, found)
        yield found


def _compression(random: Random, found: Hostile) -> None:
    packers: tuple[Callable[[bytes], bytes], ...] = (gzip.compress, zlib.compress, bz2.compress, lzma.compress, bytes)
    content = random.choice((found.body, b"garbage", _ZEROS[: random.choice((10, 3_000_000))]))
    found.body = random.choice(packers)(content)[:100_000]
    found.headers = {"compression": random.choice(_COMPRESSIONS)}


def _content_encoding(random: Random, found: Hostile) -> None:
    found.content_encoding = random.choice(_ENCODINGS)


def _content_type(random: Random, found: Hostile) -> None:
    found.content_type = random.choice((*_ODD, "application/x-python-serialize", "application/x-yaml", "text/plain"))


def _body_encoding(random: Random, found: Hostile) -> None:
    found.properties["body_encoding"] = random.choice(_ENCODINGS)


def _property(random: Random, found: Hostile) -> None:
    names = ("priority", "reply_to", "delivery_tag", "delivery_info", "delivery_mode", "correlation_id", "expiration")
    found.properties[random.choice(names)] = random.choice(_ODD)


def _headers(random: Random, found: Hostile) -> None:
    names = ("x-reason", "x-death", "CC", "BCC", "redelivered", "", "a" * 300, "ü", "\ud800", "\x00", "x")
    found.headers = random.choice(
        (
            random.choice(_ODD),
            {random.choice(names): random.choice(_ODD) for _ in range(3)},
            {f"h{number}": "v" * random.randint(0, 30) for number in range(random.choice((50, 1000)))},
            {"long": "v" * random.choice((5000, 60_000))},
            {"deep": _nested(random.choice((50, 400)))},
            {"CC": ["job"], "BCC": ["job", "result"]},
        )
    )


def _field(random: Random, found: Hostile) -> None:
    names = ("job_id", "job_type", "params", "priority", "run_after", "labels", "callback", "job_payload", "other")
    job = json.loads(found.body)
    job[random.choice(names)] = random.choice((*_ODD, *_TIMES))
    found.body = json.dumps(job).encode()


def _text(random: Random, found: Hostile) -> None:
    body = found.body
    found.body = random.choice(
        (
            body.replace(b"}", b', "job_id": 1}', 1),
            body.replace(b"{}", DEEP.encode(), 1),
            body.replace(b"{}", b'{"a": ' + b"9" * 5000 + b"}", 1),
            body.replace(b"{}", b'{"a": NaN}', 1),
            body.decode("utf-8", "replace").encode("utf-16"),
            body + b" " * 90_000,
            DEEP.encode(),
            b"9" * 50_000,
            b'"' + b"\\ud800" * 100 + b'"',
            bytes(random.getrandbits(8) for _ in range(200)),
            b"",
        )
    )


def _large(random: Random, found: Hostile) -> None:
    if random.random() < 0.1:  # they cost the broker time
        found.body = found.body.ljust(random.choice((200_000, 2_000_000)), b" ")


def _raw(random: Random, found: Hostile) -> None:
    """Change what lies in a list of Redis."""
    raw = bytearray(found.envelope())
    where, kind = random.randrange(len(raw)), random.randrange(6)
    if kind == 0:
        del raw[where:]
    elif kind == 1:
        raw[where] = random.getrandbits(8)
    elif kind == 2:
        raw[where:where] = random.choice((DEEP.encode(), b"9" * 5000, b"\x00", b"\xff", b"{", b'"a":1,'))
    elif kind == 3:
        raw = bytearray(json.dumps(random.choice(_ODD)).encode())
    elif kind == 4:
        envelope = json.loads(found.envelope())
        place = random.choice((envelope, envelope["properties"]))
        place[random.choice(list(place))] = random.choice(_ODD)
        raw = bytearray(json.dumps(envelope).encode())
    else:
        raw = raw.replace(b'"headers"', b'"properties": {}, "headers"', 1)
    found.raw = bytes(raw)


def _nested(depth: int) -> Any:
    found: Any = 1
    for number in range(depth):
        found = {"a": found} if number % 2 else [found]
    return found


_CHANGES = (
    *(_compression, _content_encoding, _content_type, _body_encoding, _property, _headers),
    *(_field, _field, _text, _large, _raw),
)
