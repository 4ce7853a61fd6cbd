"""Masks the secrets of a connection in results and errors, where a server may repeat them."""

import base64
import contextlib
import html
import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus

from coinrequest.http.charsets import decode_text
from coinrequest.text import REPLACEMENT

MASK = "***"
# Masking shorter secrets would make texts unreadable, and would reveal where they occur.
_MIN_LENGTH = 4


class Masking:
    """Replaces secrets by three asterisks, in all encodings that servers may respond with.

    Args:
        secrets: the secrets; those shorter than four characters are ignored.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        encodings = {encoded for secret in secrets if len(secret) >= _MIN_LENGTH for encoded in _encodings(secret)}
        # The longest first, because a secret may be part of another.
        self._encodings = sorted(encodings, key=len, reverse=True)

    def text(self, text: str) -> str:
        """Return a text without the secrets."""
        for encoded in self._encodings:
            text = text.replace(encoded, MASK)
        return text

    def document(self, value: Any) -> Any:
        """Return a JSON document without the secrets, in values and in names."""
        if not self._encodings:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(name): self.document(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.document(inner) for inner in value]
        # A password of digits may be repeated as a number.
        return MASK if isinstance(value, (int, float)) and str(value) in self._encodings else value


def _encodings(secret: str) -> set[str]:
    in_json = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    in_json |= {encoded.replace("/", r"\/") for encoded in in_json}
    in_urls = {quote(secret, safe=""), quote(secret), quote_plus(secret)}
    in_base64 = base64.b64encode(secret.encode()).decode()
    return {secret, html.escape(secret), in_base64, in_base64.rstrip("="), *in_json, *in_urls, *_misread(secret)}


def _misread(secret: str) -> set[str]:
    """Return what a secret becomes if the server names a wrong character set, or none."""
    if secret.isascii():
        return set()
    in_utf_8 = secret.encode()
    spellings = {in_utf_8.decode("iso-8859-1"), decode_text(in_utf_8, "iso-8859-1").text}  # in headers, and in bodies
    with contextlib.suppress(UnicodeEncodeError):
        spellings.add(decode_text(secret.encode("iso-8859-1"), "utf-8").text)
    return {spelling for spelling in spellings if spelling.strip(REPLACEMENT)}
