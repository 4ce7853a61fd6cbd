"""Numbers of JSON, as hooks of `json.loads`, which takes NaN and infinity otherwise (RFC 8259 has neither)."""

import math


def finite(number: str) -> float:
    """Return a number of a JSON text; for `parse_float` and `parse_constant`.

    Raises:
        ValueError: it is NaN or infinite, or too large for a float.
    """
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number} is not JSON")
    return value
