"""The command line of `coinrequest url`."""

import argparse
import contextlib
import ipaddress
import json
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

MAX_CONCURRENCY = 1_000

_DESCRIPTION = """\
Test whether URLs respond, and how fast. A URL without a scheme is http. Each URL is requested up to three times, until
its status is an expected one. Up to three URLs are shown as waterfalls; more are shown as a table, from fast to slow,
with the failed ones at the end.
"""
_EPILOG = """\
examples:
  coinrequest url https://example.org
  coinrequest url example.org/health --expect-status 200 --json-path '$.state="up"' --max-seconds 0.5
  coinrequest url https://example.org --certificate-days 14 --attempts 1
  coinrequest url http://127.0.0.1:8080/ --allow 127.0.0.1/32       # an address that is not public
  coinrequest url https://example.org --resolve example.org:192.0.2.7    # before the name points there
  coinrequest url --file urls.txt --json | jq -r 'select(.passed | not) | .url'

JSON: one object per line for each URL, in the order in which the tests finish. Durations are in seconds, times in
ISO 8601 and UTC. Only public addresses are requested, unless --allow or the variable COINREQUEST_ALLOWED_NETWORKS
allows others.

exit codes: 0 all passed, 1 some failed, 2 usage error, 130 interrupted (the finished tests are shown)
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(
        prog="coinrequest url",
        usage="coinrequest url URL... [options]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    found.add_argument("urls", nargs="*", metavar="URL", help="http or https")
    found.add_argument(
        "--file", metavar="FILE", help="read more URLs from a file, one per line; # starts a comment line; - is stdin"
    )
    found.add_argument("--json", action="store_true", help="print one line of JSON for each URL")
    found.add_argument(
        "--concurrency",
        type=_integer(1, MAX_CONCURRENCY),
        default=50,
        metavar="N",
        help="number of URLs tested at the same time (default %(default)s)",
    )
    _add_request(found.add_argument_group("request"))
    _add_connection(found.add_argument_group("connection"))
    _add_expectations(found.add_argument_group("expectations"))
    return found


def _add_request(group: Any) -> None:
    group.add_argument("--method", metavar="METHOD", help="the method, such as HEAD (default GET; POST with --data)")
    group.add_argument(
        "--header", type=_header, action="append", default=[], metavar="'NAME: VALUE'", help="a header; may be repeated"
    )
    group.add_argument("--data", type=_data, metavar="TEXT", help="the body; @FILE reads it from a file")
    group.add_argument(
        "--timeout",
        type=_seconds,
        default=10.0,
        metavar="SECONDS",
        help="time for one attempt, including redirects (default %(default)g)",
    )
    group.add_argument("--connect-timeout", type=_seconds, metavar="SECONDS", help="time to connect, within --timeout")
    group.add_argument(
        "--attempts",
        type=_integer(1, 10),
        default=3,
        metavar="N",
        help="maximum number of requests until the status is an expected one (default %(default)s)",
    )
    group.add_argument("--retry-errors", action="store_true", help="also try again after connection errors")
    group.add_argument(
        "--redirects",
        type=_integer(0, 20),
        default=10,
        metavar="N",
        help="maximum number of redirects to follow (default %(default)s)",
    )


def _add_connection(group: Any) -> None:
    family = group.add_mutually_exclusive_group()
    family.add_argument("-4", dest="ip_version", action="store_const", const=4, help="connect over IPv4 only")
    family.add_argument("-6", dest="ip_version", action="store_const", const=6, help="connect over IPv6 only")
    group.add_argument(
        "--resolve",
        type=_resolution,
        action="append",
        default=[],
        metavar="HOST:ADDRESS",
        help="use this address instead of resolving the host; may be repeated",
    )
    group.add_argument("--insecure", action="store_true", help="do not verify certificates")
    group.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="NETWORK",
        help="allow a network, an address or a host name that is not public; may be repeated",
    )


def _add_expectations(group: Any) -> None:
    group.add_argument(
        "--expect-status", default="", metavar="STATUS", help="such as 200, 2xx or 200-299,304 (default: below 400)"
    )
    group.add_argument("--contains", metavar="TEXT", help="the body contains the text")
    group.add_argument("--matches", metavar="REGEXP", help="the body matches the expression, in the syntax of RE2")
    group.add_argument(
        "--json-path",
        type=_json_expectation,
        action="append",
        default=[],
        metavar="PATH[=VALUE]",
        help="the JSONPath (RFC 9535) selects the value, which is JSON or else text; without a value, it selects "
        "anything",
    )
    group.add_argument(
        "--expect-header",
        type=_header,
        action="append",
        default=[],
        metavar="'NAME: REGEXP'",
        help="the header matches the expression; may be repeated",
    )
    group.add_argument(
        "--max-seconds", type=_seconds, metavar="SECONDS", help="the attempt, including redirects, takes no longer"
    )
    group.add_argument(
        "--certificate-days", type=_days, metavar="DAYS", help="the certificate is valid for at least so many days"
    )


def read_urls(arguments: argparse.Namespace) -> list[str]:
    """Return the URLs of the command line and of the file.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is not UTF-8, or there is no URL.
    """
    urls = list(arguments.urls)
    try:
        if arguments.file == "-":
            urls += _url_lines(sys.stdin)
        elif arguments.file:
            with Path(arguments.file).open(encoding="utf-8") as lines:
                urls += _url_lines(lines)
    except UnicodeDecodeError as error:
        raise ValueError(f"{arguments.file} is not UTF-8: {error}; save it as UTF-8") from error
    if not urls:
        raise ValueError("there is no URL: give one, or a file of URLs with --file")
    return urls


def _url_lines(lines: Iterable[str]) -> list[str]:
    # Some editors put a byte order mark before the first line.
    return [url for line in lines if (url := line.strip().removeprefix("\ufeff")) and not url.startswith("#")]


def addresses(resolutions: Sequence[tuple[str, str]]) -> Mapping[str, Sequence[str]]:
    """Group the addresses of `--resolve` by host."""
    found: dict[str, list[str]] = {}
    for host, address in resolutions:
        found.setdefault(host, []).append(address)
    return found


def _seconds(text: str) -> float:
    """Parse a duration greater than 0."""
    with contextlib.suppress(ValueError):
        if 0 < float(text) < math.inf:
            return float(text)
    raise argparse.ArgumentTypeError("must be a number of seconds greater than 0")


def _days(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 <= float(text) < math.inf:
            return float(text)
    raise argparse.ArgumentTypeError("must be a number of days")


def _integer(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if text.isdecimal() and least <= int(text) <= most:
            return int(text)
        raise argparse.ArgumentTypeError(f"must be an integer from {least} to {most:,}")

    return parse


def _header(text: str) -> tuple[str, str]:
    name, separator, value = text.partition(":")
    if separator and name.strip() and "\n" not in text and "\r" not in text:
        return name.strip(), value.strip()
    raise argparse.ArgumentTypeError("must be a name, a colon and a value on one line")


def _data(text: str) -> bytes:
    if not text.startswith("@"):
        return text.encode()
    try:
        return Path(text[1:]).read_bytes()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text[1:]}: {error.strerror}") from error


def _resolution(text: str) -> tuple[str, str]:
    host, _, address = text.partition(":")
    with contextlib.suppress(ValueError):
        if host:
            return host.lower().rstrip("."), str(ipaddress.ip_address(address.removeprefix("[").removesuffix("]")))
    raise argparse.ArgumentTypeError("must be a host, a colon and an address, such as example.org:192.0.2.7")


def _json_expectation(text: str) -> tuple[str, Any]:
    """Split at the first equals sign after a complete path: paths may contain equals signs too."""
    from coinrequest.urltest import json_path

    for position in (index for index, character in enumerate(text) if character == "="):
        with contextlib.suppress(ValueError):
            json_path.check(text[:position])
            return text[:position], _json_or_text(text[position + 1 :])
    try:
        json_path.check(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text, ...


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
