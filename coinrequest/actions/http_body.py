"""The body of a response, as the result of an action can hold it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coinrequest.actions.masking import Masking
from coinrequest.finite_numbers import finite
from coinrequest.http.messages import Response
from coinrequest.limits import MAX_RESULT_BYTES
from coinrequest.nesting import is_too_deep
from coinrequest.text import storable, storable_text


@dataclass(frozen=True, slots=True)
class Body:
    """A body without secrets, and without characters that cannot be stored.

    Attributes:
        text: the body as text.
        document: the body as JSON data; `...` if it is not JSON.
        charset: the character set of the body.
        replaced: whether U+FFFD stands for anything.
    """

    text: str
    document: Any
    charset: str
    replaced: bool


def read_body(response: Response, masking: Masking) -> Body:
    """Read the body of a response, whatever it holds.

    Args:
        response: the response.
        masking: masks the secrets of a connection.
    """
    decoded = response.decoded()
    text, document, places = decoded.text, ..., dict[str, int]()
    if not response.truncated:
        try:
            found = response.json(parse_constant=finite, parse_float=finite)
            masked = masking.document(found)
            if masked != found:
                text = json.dumps(masked, ensure_ascii=False)  # JSON can escape a secret in many ways
            document = storable(masked, places)
        except (ValueError, RecursionError):
            pass
    text = masking.text(text)
    clean = storable_text(text)
    return Body(clean, document, decoded.charset, not decoded.exact or bool(places) or clean != text)


def fits(fields: Mapping[str, Any]) -> bool:
    """Return whether a result can be stored; by then the request has been sent."""
    try:
        text = json.dumps(fields, ensure_ascii=False)
    except RecursionError:
        return False
    return len(text.encode()) <= MAX_RESULT_BYTES and not is_too_deep(fields, text)
