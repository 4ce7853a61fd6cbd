"""Coin prices from public exchanges, exact and with typed errors.

    from coinrequest.prices.lookup import get_prices
    get_prices("BTC", ["USD", "EUR"])

It needs nothing of Airflow. The errors are in `errors`, the value object in `price`.
"""
