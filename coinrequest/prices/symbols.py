"""The codes of coins and currencies, and their normal form."""

import difflib
import re
from collections.abc import Iterable, Mapping
from functools import cache

_SYMBOL = re.compile(r"[A-Z0-9]{2,12}", re.ASCII)
# Kraken's own codes, which its users type too: https://support.kraken.com/articles/360001206766
_ALIASES = {"XBT": "BTC", "XDG": "DOGE"}

# ISO 4217 reserves these for tests and for "no currency".
_NO_CURRENCIES = frozenset({"XTS", "XXX"})
# Known without loading the whole table, which would take longer than the rest of a lookup.
# fmt: off
COMMON_CURRENCIES = frozenset({
    "AED", "ARS", "AUD", "BRL", "CAD", "CHF", "CLP", "CNY", "CZK", "DKK", "EUR", "GBP",
    "HKD", "HUF", "IDR", "ILS", "INR", "JPY", "KRW", "MXN", "MYR", "NOK", "NZD", "PHP",
    "PLN", "RON", "SAR", "SEK", "SGD", "THB", "TRY", "TWD", "UAH", "USD", "VND", "ZAR",
})
# fmt: on

# Well-known coins, in which other coins may be priced, with their ids at CoinGecko, where several coins can have the
# same code (https://docs.coingecko.com/reference/coins-list).
COINS: Mapping[str, str] = {
    "AAVE": "aave",
    "ADA": "cardano",
    "ALGO": "algorand",
    "APT": "aptos",
    "ARB": "arbitrum",
    "ATOM": "cosmos",
    "AVAX": "avalanche-2",
    "AXS": "axie-infinity",
    "BCH": "bitcoin-cash",
    "BNB": "binancecoin",
    "BSV": "bitcoin-cash-sv",
    "BTC": "bitcoin",
    "COMP": "compound-governance-token",
    "CRO": "crypto-com-chain",
    "CRV": "curve-dao-token",
    "DAI": "dai",
    "DASH": "dash",
    "DOGE": "dogecoin",
    "DOT": "polkadot",
    "ENA": "ethena",
    "EOS": "eos",
    "ETC": "ethereum-classic",
    "ETH": "ethereum",
    "EURC": "euro-coin",
    "FDUSD": "first-digital-usd",
    "FIL": "filecoin",
    "GRT": "the-graph",
    "GUSD": "gemini-dollar",
    "HBAR": "hedera-hashgraph",
    "ICP": "internet-computer",
    "IMX": "immutable-x",
    "INJ": "injective-protocol",
    "IOTA": "iota",
    "KAS": "kaspa",
    "KSM": "kusama",
    "LDO": "lido-dao",
    "LINK": "chainlink",
    "LTC": "litecoin",
    "MANA": "decentraland",
    "MKR": "maker",
    "NEAR": "near",
    "NEO": "neo",
    "OP": "optimism",
    "PAXG": "pax-gold",
    "PEPE": "pepe",
    "POL": "polygon-ecosystem-token",
    "PYUSD": "paypal-usd",
    "QTUM": "qtum",
    "RUNE": "thorchain",
    "SAND": "the-sandbox",
    "SEI": "sei-network",
    "SHIB": "shiba-inu",
    "SNX": "havven",
    "SOL": "solana",
    "STETH": "staked-ether",
    "STX": "blockstack",
    "SUI": "sui",
    "TAO": "bittensor",
    "TIA": "celestia",
    "TON": "the-open-network",
    "TRX": "tron",
    "TUSD": "true-usd",
    "UNI": "uniswap",
    "USDC": "usd-coin",
    "USDE": "ethena-usde",
    "USDP": "paxos-standard",
    "USDT": "tether",
    "VET": "vechain",
    "WBTC": "wrapped-bitcoin",
    "XEC": "ecash",
    "XLM": "stellar",
    "XMR": "monero",
    "XRP": "ripple",
    "XTZ": "tezos",
    "ZEC": "zcash",
}


def normalise_coin(code: str) -> str:
    """Return the code of a coin in upper case, with `BTC` for `XBT` and `DOGE` for `XDG`.

    It does not check that the coin exists, because there are thousands of them; the sources do.

    Raises:
        ValueError: the code is not 2 to 12 letters and digits.
    """
    upper = code.strip().upper()
    if not _SYMBOL.fullmatch(upper):
        raise ValueError(f"{code[:50]!r} is not the code of a coin or currency")
    return _ALIASES.get(upper, upper)


def normalise_currency(code: str) -> str:
    """Return the code of a currency, or of a well-known coin, in upper case.

    Raises:
        ValueError: it is neither a currency of ISO 4217 nor a well-known coin; the message suggests the nearest code.
    """
    found = normalise_coin(code)
    if found in COMMON_CURRENCIES or found in COINS:
        return found
    if found in _NO_CURRENCIES:
        raise ValueError(f'{found!r} is not a currency: ISO 4217 reserves it for tests or for "no currency"')
    if found not in _currencies():
        nearest = _nearest(found)
        raise ValueError(f"{found!r} is neither a currency of ISO 4217 nor a known coin; did you mean {nearest!r}?")
    return found


def normalise_currencies(codes: Iterable[str]) -> tuple[str, ...]:
    """Normalise several codes and remove duplicates, in their order.

    Raises:
        ValueError: a code is not a currency.
    """
    return tuple(dict.fromkeys(normalise_currency(code) for code in codes))


@cache
def _currencies() -> frozenset[str]:
    import iso4217

    return frozenset(currency.code for currency in iso4217.Currency) - _NO_CURRENCIES


def _nearest(code: str) -> str:
    """Return the code with the same letters in another order, or the most similar one; common codes win ties."""

    def similarity(other: str) -> tuple[bool, float, bool]:
        ratio = difflib.SequenceMatcher(None, code, other).ratio()
        return sorted(other) == sorted(code), ratio, other[0] == code[0]

    common = sorted(COMMON_CURRENCIES) + sorted(COINS)
    return max(common + sorted(_currencies() - COMMON_CURRENCIES), key=similarity)
