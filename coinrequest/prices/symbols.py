"""The codes of coins and currencies, in the one form that the rest of the package knows."""

import difflib
import re
from collections.abc import Iterable, Mapping
from functools import cache

_SYMBOL = re.compile(r"[A-Z0-9]{2,12}", re.ASCII)
# Kraken's own names, which its users write too: https://support.kraken.com/articles/360001206766
_ALIASES = {"XBT": "BTC", "XDG": "DOGE"}

# ISO 4217 reserves them for tests and for "no currency".
_NO_CURRENCIES = frozenset({"XTS", "XXX"})
# Known without loading the whole table, which takes longer than the rest of a look-up.
# fmt: off
COMMON_CURRENCIES = frozenset({
    "AED", "ARS", "AUD", "BRL", "CAD", "CHF", "CLP", "CNY", "CZK", "DKK", "EUR", "GBP",
    "HKD", "HUF", "IDR", "ILS", "INR", "JPY", "KRW", "MXN", "MYR", "NOK", "NZD", "PHP",
    "PLN", "RON", "SAR", "SEK", "SGD", "THB", "TRY", "TWD", "UAH", "USD", "VND", "ZAR",
})
# fmt: on

# Coins in which others are priced, and their ids at CoinGecko (https://docs.coingecko.com/reference/coins-list), which
# alone tells coins with the same code apart.
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
    """Return a coin's code in its usual form: upper case, and `BTC` for `XBT`, `DOGE` for `XDG`.

    Whether there is such a coin only a source can say: there are many thousands of them.

    Raises:
        ValueError: it is not 2 to 12 letters and digits.
    """
    plain = code.strip().upper()
    if not _SYMBOL.fullmatch(plain):
        raise ValueError(f"{code[:50]!r} is not the code of a coin or currency")
    return _ALIASES.get(plain, plain)


def normalise_currency(code: str) -> str:
    """Return the code of a currency, or of a coin in which others are priced, in its usual form.

    Raises:
        ValueError: it is neither a currency of ISO 4217 nor a known coin; the text names the nearest code.
    """
    found = normalise_coin(code)
    if found in COMMON_CURRENCIES or found in COINS:
        return found
    if found in _NO_CURRENCIES:
        raise ValueError(f"{found!r} is no currency: ISO 4217 reserves it for tests and transactions without one")
    if found not in _currencies():
        nearest = _nearest(found)
        raise ValueError(f"{found!r} is neither a currency of ISO 4217 nor a known coin; did you mean {nearest!r}?")
    return found


def normalise_currencies(codes: Iterable[str]) -> tuple[str, ...]:
    """Return several codes as `normalise_currency` does, each once, in their order.

    Raises:
        ValueError: one is no currency.
    """
    return tuple(dict.fromkeys(normalise_currency(code) for code in codes))


@cache
def _currencies() -> frozenset[str]:
    import iso4217

    return frozenset(currency.code for currency in iso4217.Currency) - _NO_CURRENCIES


def _nearest(code: str) -> str:
    """Return the code of the same letters in another order, or else the most similar; of several the most common."""

    def likeness(other: str) -> tuple[bool, float, bool]:
        alike = difflib.SequenceMatcher(None, code, other).ratio()
        return sorted(other) == sorted(code), alike, other[0] == code[0]

    common = sorted(COMMON_CURRENCIES) + sorted(COINS)
    return max(common + sorted(_currencies() - COMMON_CURRENCIES), key=likeness)
