"""The command `coinrequest`."""

import argparse
import importlib
import sys
from collections.abc import Sequence

# Module and help of each command. The module's `main` takes the words after the command and returns the exit code.
_COMMANDS = {
    "demo": ("coinrequest.demo", "register a job type on the running stack and run a job"),
    "gateway": ("coinrequest.gateway.command", "turn messages into jobs, and send results and notices"),
    "channel": ("coinrequest.channel.command", "submit a job over the message channel, or print results"),
    "new": ("coinrequest.new_action.command", "write a package with an action, to start from"),
    "url": ("coinrequest.urltest.command", "test whether URLs respond, and how fast"),
    "prices": ("coinrequest.prices.command", "get the price of a coin from exchanges"),
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
        print(f"coinrequest {words[0]} needs {error.name}, which is not installed.", file=sys.stderr)
        print(f"Install it with: pip install 'coinrequest[{extra}]'", file=sys.stderr)
        return 1


def _run(words: list[str]) -> int:
    # Import only the module of the command.
    if words and words[0] in _COMMANDS:
        module, _ = _COMMANDS[words[0]]
        result: int = importlib.import_module(module).main(words[1:])
        return result
    parser = argparse.ArgumentParser(
        prog="coinrequest",
        description="Jobs that a team defines, runs and watches on Apache Airflow without deploying anything.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    stack = commands.add_parser("stack", help="the embedded stack: up, down, status, logs, restart")
    for name, (_, text) in _COMMANDS.items():
        commands.add_parser(name, help=text, add_help=False)
    if words[:1] == ["stack"]:
        from coinrequest.stack import command

        command.add_commands(stack)
        return command.run(parser.parse_args(words))
    parser.parse_args(words)
    return 0


def _version() -> str:
    from importlib.metadata import version

    return version("coinrequest")


if __name__ == "__main__":
    sys.exit(main())
