"""The command line of the stack."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from coinrequest.stack import settings_file
from coinrequest.stack.differences import file_lines, settings_lines
from coinrequest.stack.errors import StackError
from coinrequest.stack.handle import Stack
from coinrequest.stack.layout import default_root, project_root
from coinrequest.stack.log_lines import last_lines
from coinrequest.stack.options import (
    DEFAULT_AGENTS,
    DEFAULT_CONCURRENCY,
    Options,
    chosen_options,
    parse_overrides,
)
from coinrequest.stack.state import ProcessState, StackPhase, StackStatus

DOWN = 3
_PROCESSES = (
    "Processes: postgres, redis, api-server, scheduler, dag-processor, triggerer, gateway, agent-1, agent-2, ... "
    "(`status` lists those of a stack)."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `python -m coinrequest.stack`; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m coinrequest.stack")
    add_commands(parser)
    return run(parser.parse_args(arguments))


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Add the stack's commands and their options to a parser."""
    parser.description = "Run the platform on this machine, without containers."
    parser.add_argument(
        "--root",
        type=Path,
        default=None,
        help=f"folder of the stack (COINREQUEST_STACK_ROOT; default {default_root()})",
    )
    commands = parser.add_subparsers(dest="stack_command", required=True, metavar="COMMAND")
    up = _add_command(commands, "up", "start everything and wait until it is ready; does nothing if it is up")
    up.add_argument(
        "--agents",
        type=int,
        help=f"number of agents, each a process (COINREQUEST_AGENTS; default {DEFAULT_AGENTS})",
    )
    up.add_argument(
        "--concurrency",
        type=int,
        help=f"tasks that an agent runs at the same time (COINREQUEST_CONCURRENCY; default {DEFAULT_CONCURRENCY})",
    )
    up.add_argument("--queues", default="default", help="comma-separated queues of the agents (default %(default)s)")
    up.add_argument("--port", type=int, help="port of the web server (COINREQUEST_PORT; default: any free port)")
    up.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="an Airflow option that differs from config/airflow.cfg; may be repeated",
    )
    _add_command(commands, "down", "stop everything; data and logs are kept")
    _add_command(commands, "status", "show every process (exit code 1: one is not running, 3: the stack is down)")
    logs = _add_command(commands, "logs", "show the last log lines", _PROCESSES)
    logs.add_argument("process", nargs="?", help="name of a process (default: all)")
    logs.add_argument(
        "-n", "--lines", type=int, default=20, help="number of lines of each process (default %(default)s)"
    )
    logs.add_argument("-f", "--follow", action="store_true", help="show new lines until interrupted")
    restart = _add_command(commands, "restart", "restart a process and wait until it is ready", _PROCESSES)
    restart.add_argument("process", help="name of a process")


def _add_command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, text: str, epilog: str | None = None
) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", epilog=epilog)


def run(arguments: argparse.Namespace) -> int:
    """Run the command of the parsed arguments; return the exit code."""
    stack = Stack(arguments.root)
    actions = {"up": _up, "down": _down, "status": _status, "logs": _logs, "restart": _restart}
    try:
        return actions[arguments.stack_command](stack, arguments)
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _up(stack: Stack, arguments: argparse.Namespace) -> int:
    settings = settings_file.resolve(stack.layout, os.environ)
    settings_file.check(settings)
    options = chosen_options(
        settings,
        agents=arguments.agents,
        concurrency=arguments.concurrency,
        queues=arguments.queues,
        web_port=arguments.port,
        overrides=parse_overrides(arguments.settings),
    )
    for sentence in settings_file.ignored(os.environ):
        print(f"warning: {sentence}", file=sys.stderr)
    began = time.monotonic()
    running = stack.status().phase is StackPhase.READY
    if not running:
        print(f"Starting the stack in {_display(stack.layout.root)}", flush=True)
    lines: list[str] = []
    started = stack.up(options, lines.append if running else lambda line: print(f"  {line}", flush=True))
    if started:
        print(f"The stack is up after {time.monotonic() - began:.1f} s.")
    else:
        print("The stack is already up.")
        _warn_of_differences(stack, lines)
    print(f"  Airflow    {stack.url}")
    print(f"  sign-in    {stack.credentials().username} / {stack.credentials().password}")
    print(f"  for shells . {_display(stack.layout.env)}")
    print(f"  settings   {_display(stack.layout.settings)}")
    return 0


def _warn_of_differences(stack: Stack, lines: list[str]) -> None:
    if not lines:
        return
    print("warning: it was started with other settings:", file=sys.stderr)
    for line in lines:
        print(f"    {line}", file=sys.stderr)
    print("  To apply what you gave now: make down, then make up in the same way.", file=sys.stderr)
    print(f"  To keep settings for every start, write them to {_display(stack.layout.settings)}.", file=sys.stderr)


def _down(stack: Stack, arguments: argparse.Namespace) -> int:
    began = time.monotonic()
    stopped = stack.down(lambda line: print(line, flush=True))
    print(f"The stack is down after {time.monotonic() - began:.1f} s." if stopped else "The stack is already down.")
    return 0


def _restart(stack: Stack, arguments: argparse.Namespace) -> int:
    began = time.monotonic()
    stack.restart(arguments.process)
    print(f"{arguments.process} is ready again after {time.monotonic() - began:.1f} s.")
    return 0


def _status(stack: Stack, arguments: argparse.Namespace) -> int:
    status = stack.status()
    for line in [*describe(status), *_settings(stack, status)]:
        print(line)
    if status.phase in (StackPhase.STOPPED, StackPhase.FAILED):
        return DOWN
    return 0 if status.healthy else 1


def _settings(stack: Stack, status: StackStatus) -> list[str]:
    try:
        in_file = settings_file.read(stack.layout)
    except StackError as error:
        return [f"error: {error}"]
    if status.phase in (StackPhase.STOPPED, StackPhase.FAILED):
        return file_lines(in_file)
    return settings_lines(Options.load(stack.layout), in_file)


def describe(status: StackStatus) -> list[str]:
    """Return the lines that `status` prints."""
    lines = [f"The stack is {status.phase}."]
    if status.phase is StackPhase.READY:
        lines = [f"The stack is up at {status.url} since {_time(status.started)}."]
    if status.error:
        lines.append(status.error)
    if status.phase is StackPhase.STOPPED:
        return lines
    lines.append(f"{'process':<15}{'state':<10}{'pid':>8}  {'since':<20}{'restarts':>9}")
    for name, process in status.processes.items():
        runs = process.state in (ProcessState.STARTING, ProcessState.RUNNING)
        pid = str(process.pid) if runs and process.pid is not None else "-"
        lines.append(f"{name:<15}{process.state:<10}{pid:>8}  {_time(process.since):<20}{process.restarts:>9}")
        if process.ended is not None:
            lines.append(f"    ended at {_time(process.ended)} with {_exit(process.exit_code)}")
        if process.state in (ProcessState.CRASHED, ProcessState.FAILED):
            lines += [f"    | {line}" for line in process.tail]
        if process.state is ProcessState.FAILED:
            lines.append(
                f"    not restarted any more after repeated crashes; start it with: coinrequest stack restart {name}"
            )
    return lines


def _logs(stack: Stack, arguments: argparse.Namespace) -> int:
    known = sorted(path.stem for path in stack.layout.logs.glob("*.log"))
    if arguments.process is not None and arguments.process not in known:
        raise StackError(f"{arguments.process!r} has no log. Processes with a log: {', '.join(known) or 'none'}.")
    names = [arguments.process] if arguments.process else known
    ends: dict[str, int] = {}
    for name in names:
        path = stack.layout.log(name)
        ends[name] = path.stat().st_size
        for line in last_lines(path, arguments.lines):
            print(f"{name:<14}| {line}")
    while arguments.follow:
        time.sleep(0.3)
        for name in names:
            path = stack.layout.log(name)
            size = path.stat().st_size
            with path.open("rb") as log:
                log.seek(min(ends[name], size))
                for raw in log.read().splitlines():
                    print(f"{name:<14}| {raw.decode('utf-8', 'replace')}", flush=True)
            ends[name] = size
    return 0


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds)) if seconds else "-"


def _exit(code: int | None) -> str:
    if code is None:
        return "an unknown exit code"
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _display(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(project_root()) else str(path)
