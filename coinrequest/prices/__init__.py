"""Coin prices from public exchanges: exact decimals, several sources at once, and typed errors.

    from coinrequest.prices import get_prices
    answer = get_prices("BTC", ["USD", "EUR"], sources=["coinbase", "kraken", "bitstamp"])
    answer.prices[0].amount       # Decimal("43211.02"), the median
    answer.answered               # ("coinbase", "kraken", "bitstamp")

It does not need Airflow. docs/reference/prices.md is its reference.
"""

from coinrequest.prices.errors import BadResponse, PriceUnavailable, RateLimited, UnknownCoin
from coinrequest.prices.lookup import get_prices
from coinrequest.prices.price import Price, PriceAnswer

__all__ = [
    "BadResponse",
    "Price",
    "PriceAnswer",
    "PriceUnavailable",
    "RateLimited",
    "UnknownCoin",
    "get_prices",
]
