"""The command `coinrequest`."""

import argparse
import importlib
import sys
from collections.abc import Sequence

# Each has a function `main`, which takes the words behind the command and returns the exit code.
_COMMANDS = {
    "demo": "coinrequest.demo",
    "gateway": "coinrequest.gateway.command",
    "channel": "coinrequest.channel.command",
    "url": "coinrequest.urltest.command",
    "prices": "coinrequest.prices.command",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code.

    Args:
        arguments: the words after the command; those of the process by default.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(words)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith(__package__):
            raise
        extra = "airflow,stack" if words[:1] == ["stack"] else "airflow"
        print(f"coinrequest {words[0]} needs {error.name}, which a plain installation does not bring.", file=sys.stderr)
        print(f"Install it: pip install 'coinrequest[{extra}]'", file=sys.stderr)
        return 1


def _run(words: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="coinrequest",
        description="Jobs that a team defines, runs and watches on Apache Airflow without deploying anything.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    stack = commands.add_parser("stack", help="the embedded stack: up, down, status, logs, restart")
    commands.add_parser("demo", help="register a job type on the running stack and run a job of it", add_help=False)
    commands.add_parser("gateway", help="bring messages in as jobs, and results and notices out", add_help=False)
    commands.add_parser("channel", help="submit a job over the message channel, or listen for results", add_help=False)
    commands.add_parser("url", help="test whether URLs answer, and how fast", add_help=False)
    commands.add_parser("prices", help="ask exchanges what a coin costs", add_help=False)
    # Only the command that was called is imported.
    if words[:1] == ["stack"]:
        from coinrequest.stack import command

        command.add_commands(stack)
        return command.run(parser.parse_args(words))
    if words[:1] and (module := _COMMANDS.get(words[0])):
        result: int = importlib.import_module(module).main(words[1:])
        return result
    parser.parse_args(words)
    return 0


if __name__ == "__main__":
    sys.exit(main())
