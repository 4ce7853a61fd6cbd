"""The command `coinrequest channel`: a small client of the message channel."""

import argparse
import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from coinrequest import settings
from coinrequest.channel.connection import ChannelUnavailable, without_password
from coinrequest.channel.topology import QueueNameInvalid

SUCCESS, JOB_FAILED, USAGE, UNREACHABLE = 0, 1, 2, 3


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = argparse.ArgumentParser(
        prog="coinrequest channel",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Submit a job over the message channel, or listen for results. Results are printed as JSON lines.",
        epilog="""\
examples:
  coinrequest channel submit integer --value 3 --wait 60
  coinrequest channel submit url-test --params '{"url": "https://example.org"}'
  coinrequest channel listen --count 10
  coinrequest channel listen --queue billing          # keep results while nobody listens

exit codes: 0 success, 1 a job failed, 2 usage error, 3 no result in time or no connection to the broker
""",
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--url", help="the URL of the broker, amqp://... or redis://... (default: COINREQUEST_CHANNEL_URL)"
    )
    commands = found.add_subparsers(dest="command", required=True, metavar="COMMAND")
    submit = commands.add_parser("submit", parents=[common], help="submit a job")
    submit.add_argument("job_type", metavar="TYPE", help="the name of the job type")
    params = submit.add_mutually_exclusive_group()
    params.add_argument("--params", type=_object, default={}, metavar="JSON", help="the params as a JSON object")
    params.add_argument("--value", type=int, metavar="N", help="short for --params '{\"value\": N}'")
    submit.add_argument("--wait", type=_seconds, metavar="SECONDS", help="wait for the result, for at most this time")
    submit.add_argument("--job-id", type=UUID, metavar="UUID", help="the id of the job; submitting it again is safe")
    listen = commands.add_parser("listen", parents=[common], help="listen for results")
    listen.add_argument(
        "--job",
        type=UUID,
        action="append",
        metavar="ID",
        help="print the result of this job only; may be repeated; exit after the last one",
    )
    listen.add_argument("--count", type=_count, metavar="N", help="exit after this number of results")
    listen.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="exit after this time (default: never)")
    listen.add_argument("--queue", metavar="NAME", help="the name of a result queue that is kept while nobody listens")
    return found


def main(words: Sequence[str] = ()) -> int:
    """Run the command and return its exit code.

    Args:
        words: the arguments after `coinrequest channel`.
    """
    arguments = parser().parse_args(words)
    url = arguments.url or settings.channel_url()
    if not url:
        return _fail(USAGE, "no broker: give --url or set COINREQUEST_CHANNEL_URL")
    try:
        return _submit(url, arguments) if arguments.command == "submit" else _listen(url, arguments)
    except QueueNameInvalid as error:
        return _fail(USAGE, f"--queue: {error}")
    except ChannelUnavailable as error:
        return _fail(UNREACHABLE, f"{without_password(url)}: {error}")
    except BrokenPipeError:
        # The reader of the output has closed it.
        sys.stderr.close()
        return SUCCESS
    except KeyboardInterrupt:
        return 130


def _submit(url: str, arguments: argparse.Namespace) -> int:
    from coinrequest.channel.client import ChannelClient

    params = arguments.params if arguments.value is None else {"value": arguments.value}
    with ChannelClient(url) as client:
        job_id = str(client.submit(arguments.job_type, params, arguments.job_id))
        if arguments.wait is None:
            _print({"job_id": job_id, "job_type": arguments.job_type})
            return SUCCESS
        _log(f"submitted job {job_id}; waiting for its result")
        for result in client.results(arguments.wait):
            if result["job_id"] == job_id:
                _print(result)
                return SUCCESS if result.get("state") == "success" else JOB_FAILED
    return _fail(UNREACHABLE, f"no result of job {job_id} within {arguments.wait:g} s")


def _listen(url: str, arguments: argparse.Namespace) -> int:
    from coinrequest.channel.client import ChannelClient

    wanted = {str(job) for job in arguments.job or ()}
    waiting, count, failed = set(wanted), 0, False
    with ChannelClient(url, arguments.queue) as client:
        _log("listening for results")
        for result in client.results(arguments.timeout):
            job_id = result["job_id"]
            if wanted and job_id not in waiting:
                continue
            _print(result)
            waiting.discard(job_id)
            count += 1
            failed |= bool(wanted) and result.get("state") != "success"
            if (wanted and not waiting) or count == arguments.count:
                return JOB_FAILED if failed else SUCCESS
    if wanted or arguments.count:
        return _fail(UNREACHABLE, f"not all results arrived within {arguments.timeout:g} s")
    return SUCCESS


def _object(text: str) -> Mapping[str, Any]:
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(text)
        json.dumps(found, ensure_ascii=False).encode()  # half of a surrogate pair, or bytes that are no UTF-8
        if isinstance(found, dict):
            return found
    raise argparse.ArgumentTypeError("must be a JSON object in UTF-8, such as '{\"value\": 3}'")


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError("must be a number of seconds greater than 0")


def _count(text: str) -> int:
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError("must be an integer greater than 0")


def _print(line: Mapping[str, Any]) -> None:
    # Lone surrogates, which no output can encode, are written as escapes.
    text = json.dumps(line, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _log(text: str) -> None:
    sys.stderr.write(f"coinrequest channel: {text}\n")
    sys.stderr.flush()


def _fail(code: int, text: str) -> int:
    _log(text)
    return code
