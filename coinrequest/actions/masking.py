"""Keeping a connection's secrets out of what an action hands on, also where a server repeats them."""

import base64
import html
import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "***"
# Shorter ones would make every text unreadable, and the marks would tell where they stand.
_SHORTEST = 4


class Masking:
    """Replaces secrets by three asterisks, in the spellings that servers answer with.

    Args:
        secrets: what nobody may see; very short ones (below four characters) are left out.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        spellings = {spelling for secret in secrets if len(secret) >= _SHORTEST for spelling in _spellings(secret)}
        # The longest first: a secret may be part of another.
        self._spellings = sorted(spellings, key=len, reverse=True)

    def text(self, text: str) -> str:
        """Return a text without the secrets."""
        for spelling in self._spellings:
            text = text.replace(spelling, MASK)
        return text

    def document(self, value: Any) -> Any:
        """Return a JSON document without the secrets, in values and in names."""
        if not self._spellings:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(name): self.document(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.document(inner) for inner in value]
        # A password of digits can come back as a number.
        return MASK if isinstance(value, (int, float)) and str(value) in self._spellings else value


def _spellings(secret: str) -> set[str]:
    in_json = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    in_json |= {spelling.replace("/", r"\/") for spelling in in_json}
    in_urls = {quote(secret, safe=""), quote(secret), quote_plus(secret)}
    encoded = base64.b64encode(secret.encode()).decode()
    return {secret, html.escape(secret), encoded, encoded.rstrip("="), *in_json, *in_urls}
