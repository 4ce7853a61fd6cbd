"""The command `coinrequest`."""

import argparse
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code.

    Args:
        arguments: the words after the command; those of the process by default.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        prog="coinrequest",
        description="Jobs that a team defines, runs and watches on Apache Airflow without deploying anything.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    stack = commands.add_parser("stack", help="the embedded stack: up, down, status, logs, restart")
    commands.add_parser("demo", help="register a job type on the running stack and run a job of it", add_help=False)
    # Only the command that was called is imported.
    if words[:1] == ["stack"]:
        from coinrequest.stack import command

        command.add_commands(stack)
        return command.run(parser.parse_args(words))
    if words[:1] == ["demo"]:
        return _demo(words[1:])
    parser.parse_args(words)
    return 0


def _demo(words: Sequence[str]) -> int:
    import importlib

    demo = importlib.import_module("coinrequest.demo")
    result: int = demo.main(words)
    return result


if __name__ == "__main__":
    sys.exit(main())
