"""The command line of a release."""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from release import deploy as steps
from release.aws import GRACE_PERIOD, AwsTarget
from release.commands import Commands, Execute, run_process
from release.compose import FILES, ComposeTarget
from release.deploy import BuildOptions
from release.errors import Refused, ReleaseError
from release.kubernetes import KubernetesTarget
from release.output import Output
from release.state import default_folder
from release.target import Target

_FAILED, _REFUSED = 1, 2
_EPILOG = """
Exit codes: 0 done; 1 failed, and the previous version works; 2 refused, nothing was changed;
3 failed, and so did the rollback: it needs attention. docs/how-to/release.md says more.
"""


def main(argv: Sequence[str] | None = None, execute: Execute | None = None) -> int:
    """Run the command line; return the exit code.

    Args:
        argv: the arguments; None: those of this process.
        execute: runs one program; tests pass another function.
    """
    arguments = _parser().parse_args(argv)
    output = Output()
    log: Path = arguments.state / "logs" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{arguments.command}.log"
    if arguments.target == "aws":
        execute = execute or partial(run_process, grace_period=GRACE_PERIOD)
    commands = Commands(output, dry_run=arguments.dry_run, execute=execute)
    try:
        if commands.dry_run or arguments.command == "status":
            return _do(arguments, commands, log)
        with output.log_to(log):
            code = _do(arguments, commands, log)
            output.line(f"Log: {log}")
            return code
    except Refused as error:
        output.line(f"REFUSED: {error}")
        return _REFUSED
    except (ReleaseError, KeyboardInterrupt) as error:
        output.summary()
        output.line(f"FAILED: {str(error) or 'it was interrupted'}")
        output.line("Nothing that runs was replaced.")
        return _FAILED


def _do(arguments: argparse.Namespace, commands: Commands, log: Path) -> int:
    if arguments.command == "build":
        return _build(arguments, commands)
    target = _target(arguments, commands)
    service_logs = log.with_name(f"{log.stem}-services.log")
    if arguments.command == "status":
        for line in target.status():
            commands.output.line(line)
        return 0
    if arguments.command == "rollback":
        return steps.undo(commands, target, service_logs)
    return steps.deploy(commands, target, _build_options(arguments, target), service_logs)


def _build(arguments: argparse.Namespace, commands: Commands) -> int:
    target = _target(arguments, commands) if arguments.target == "aws" else None
    image = steps.build(commands, _build_options(arguments, target))
    commands.output.summary()
    commands.output.line("Dry run: nothing was done." if commands.dry_run else f"Built: {image}")
    return 0


def _build_options(arguments: argparse.Namespace, target: Target | None) -> BuildOptions:
    options = BuildOptions(arguments.image, arguments.registry, arguments.skip_tests, tuple(arguments.build_arg))
    return target.prepare(options) if isinstance(target, AwsTarget) else options


def _target(arguments: argparse.Namespace, commands: Commands) -> Target:
    if arguments.target == "kubernetes":
        if not arguments.overlay:
            raise Refused("Which overlay? --overlay development, staging or production")
        return KubernetesTarget(commands, arguments.overlay, arguments.context, arguments.timeout or 600.0)
    if arguments.target == "aws":
        if not arguments.environment:
            raise Refused("Which environment? --environment development, staging or production")
        return AwsTarget(commands, arguments.state, arguments.environment, arguments.timeout)
    files = arguments.file or FILES
    return ComposeTarget(commands, arguments.state, files, arguments.project, arguments.timeout or 300.0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m release",
        description="Test, build, migrate, roll out, smoke test, and roll back on failure.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # Not every command has these options.
    parser.set_defaults(dry_run=False, image=None, timeout=None)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    deploy = commands.add_parser("deploy", help="release the checked-out commit, or an image that is already built")
    build = commands.add_parser("build", help="test, build and push only; another machine releases it")
    status = commands.add_parser("status", help="show what runs, and the last releases")
    rollback = commands.add_parser("rollback", help="return to the previous release, by hand")
    for command in (deploy, build):
        command.add_argument("--registry", metavar="PREFIX", help="push the image there: ghcr.io/team")
        command.add_argument("--skip-tests", action="store_true", help="build without testing; the summary says so")
        command.add_argument(
            "--build-arg",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="for docker/Dockerfile; may be repeated",
        )
    deploy.add_argument("--image", help="release this image, which is built and tested already")
    for command in (deploy, build, status, rollback):
        command.add_argument(
            "--target", choices=("compose", "kubernetes", "aws"), default="compose", help="default: %(default)s"
        )
        command.add_argument("--environment", metavar="NAME", help="of target aws: development, staging or production")
        command.add_argument(
            "--state",
            type=Path,
            default=default_folder(),
            metavar="FOLDER",
            help="history, locks and logs (default: COINREQUEST_RELEASE_STATE, or %(default)s)",
        )
    for command in (deploy, status, rollback):
        _add_target(command)
    for command in (deploy, build, rollback):
        command.add_argument("--dry-run", action="store_true", help="show every command, and do nothing")
    return parser


def _add_target(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--timeout", type=float, metavar="SECONDS", help="to become healthy (default: 300, kubernetes: 600, aws: 5400)"
    )
    compose = command.add_argument_group("target compose")
    compose.add_argument("--project", metavar="NAME", help="the Compose project (default: the one in the file)")
    compose.add_argument(
        "--file", action="append", metavar="FILE", help=f"may be repeated (default: {' and '.join(FILES)})"
    )
    kubernetes = command.add_argument_group("target kubernetes")
    kubernetes.add_argument("--overlay", metavar="NAME", help="of kubernetes/overlays, or a folder")
    kubernetes.add_argument("--context", metavar="NAME", help="of kubectl (default: the current one)")
