"""The command line of the installation in AWS."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from functools import partial

from aws import account, applying, bootstrap, destroying, image, replacing, restoring, rotate, smoke, status
from aws.installation import Installation, read_account, read_installation
from aws.restoring import Backup
from release.commands import Commands, Execute, run_process
from release.errors import Failed, Refused, ReleaseError
from release.output import Output

_FAILED, _REFUSED = 1, 2
# Terraform that is stopped writes its state first. Killed earlier, it loses track of what it made.
_GRACE_PERIOD = 1800.0
_INTERVAL = 15.0
_EPILOG = """
examples:
  python -m aws bootstrap                          once for each account
  python -m aws image production                   build and push the checked-out commit
  python -m aws plan production
  python -m aws apply production --image-tag 3f2a91c...
  python -m aws status production
  python -m aws rotate production database-owner
  python -m aws restore production --time 2026-11-22T10:00:00Z
  python -m aws destroy development

exit codes: 0 done; 1 failed; 2 refused, nothing was changed. docs/how-to/aws-operations.md says more.
"""


def main(argv: Sequence[str] | None = None, execute: Execute | None = None) -> int:
    """Run the command line; return the exit code.

    Args:
        argv: the arguments; None: those of this process.
        execute: runs one program; tests pass another function.
    """
    arguments = _parser().parse_args(argv)
    # Standard output is for the JSON alone.
    output = Output(sys.stderr if arguments.json else None)
    execute = execute or partial(run_process, grace_period=_GRACE_PERIOD)
    commands = Commands(output, dry_run=arguments.dry_run, execute=execute)
    try:
        with account.explained_errors():
            _do(arguments, commands)
    except Refused as error:
        output.line(f"REFUSED: {error}")
        return _REFUSED
    except (ReleaseError, KeyboardInterrupt) as error:
        output.line(f"FAILED: {str(error) or 'it was interrupted'}")
        return _FAILED
    return 0


def _do(arguments: argparse.Namespace, commands: Commands) -> None:
    if arguments.command == "bootstrap":
        found = read_account()
        account.require(found)
        bootstrap.run(commands, found)
        return
    installation = read_installation(arguments.environment)
    account.require(installation.account)
    match arguments.command:
        case "plan":
            applying.plan(commands, installation, arguments.image_tag)
        case "apply":
            ask = None if arguments.yes or commands.dry_run else input
            _apply(commands, installation, arguments.image_tag, ask, arguments.timeout)
        case "image":
            if arguments.sign_in:
                image.sign_in(commands, installation.account)
            else:
                commands.output.line(f"In the registry: {image.build(commands, installation.account)}")
        case "destroy":
            confirmed = commands.dry_run or _confirmed(installation, arguments.confirm)
            ask = None if confirmed else input
            destroying.destroy(commands, installation, ask, arguments.keep_snapshot, arguments.timeout)
        case "status":
            _status(commands, installation, arguments.json)
        case "smoke":
            _smoke(commands, installation)
        case "restore":
            backup = Backup(arguments.time, arguments.snapshot)
            ask = None if arguments.yes else input
            _restore(commands, installation, backup, ask, arguments.timeout)
        case "renew":
            _renew(commands, installation, arguments.timeout)
        case "restart":
            _restart(commands, installation, arguments.timeout)
        case "rotate":
            clients = rotate.connect()
            rotate.rotate(clients, installation.name, arguments.secret, commands.output, dry_run=commands.dry_run)


def _apply(
    commands: Commands, installation: Installation, tag: str | None, ask: applying.Ask | None, timeout: float
) -> None:
    outputs = applying.apply(commands, installation, tag, ask, timeout)
    if commands.dry_run:
        commands.output.line("Dry run: nothing was done.")
        return
    secret = f"--secret-id {outputs['sign_in_secret']} --query SecretString --output text"
    commands.output.line(f"It works: {outputs['url']}")
    commands.output.line(f"Passwords: aws secretsmanager get-secret-value {secret}")
    commands.output.line(f"Dashboard: {outputs['dashboard_url']}")


def _restore(
    commands: Commands, installation: Installation, backup: Backup, ask: applying.Ask | None, timeout: float
) -> None:
    before = restoring.restore(commands, installation, backup, ask, timeout)
    environment, line = installation.environment, commands.output.line
    renewed = True
    try:
        _renew(commands, installation, timeout)
    except Failed as error:
        # The backup may have other passwords, which the next apply sets.
        line(f"It has no new id yet: {error}")
        renewed = False
    line("The database is replaced. Next, in this order:")
    line(f"  make apply ENV={environment}           its other settings; new instances get its password")
    if not renewed:
        line(f"  python -m aws renew {environment}      a new id; without it agents run old definitions")
    line(f"  python -m aws restart {environment}    every process forgets what it knew of the old database")
    line(f"The old database costs money until it is deleted: {before}")


def _groups(installation: Installation, timeout: float) -> replacing.Groups:
    return replacing.Groups(account.client("autoscaling"), installation.name, _INTERVAL, timeout)


def _renew(commands: Commands, installation: Installation, timeout: float) -> None:
    groups, ssm = _groups(installation, timeout), account.client("ssm")
    with commands.output.step("give the installation a new id"):
        replacing.run_with_database_owner(groups, ssm, "python -m coinrequest.install.renew_installation", 5.0)


def _restart(commands: Commands, installation: Installation, timeout: float) -> None:
    with commands.output.step("replace every instance"):
        replacing.replace_all(_groups(installation, timeout), commands.output.detail)


def _smoke(commands: Commands, installation: Installation) -> None:
    outputs = applying.open_state(commands, installation).outputs
    if not outputs:
        raise Refused(f"{installation.environment} was not applied yet: make apply ENV={installation.environment}")
    smoke.run(outputs)


def _confirmed(installation: Installation, name: str | None) -> bool:
    if name not in (None, installation.environment):
        raise Refused(f"--confirm says {name}, and this is {installation.environment}.")
    return name is not None


def _status(commands: Commands, installation: Installation, as_json: bool) -> None:
    found = status.read(installation, applying.open_state(commands, installation).outputs)
    if as_json:
        sys.stdout.write(json.dumps(asdict(found) if found else None) + "\n")
        return
    nothing = f"{installation.environment}: nothing was applied yet. make apply ENV={installation.environment}"
    for line in status.lines(found) if found else [nothing]:
        commands.output.line(line)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m aws",
        description="Operates the installation in AWS.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # Not every command has these options.
    parser.set_defaults(dry_run=False, json=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    bootstrap_ = commands.add_parser("bootstrap", help="create what the account needs once; may be repeated")
    plan = commands.add_parser("plan", help="show what an apply would change")
    apply = commands.add_parser("apply", help="plan, ask, apply that plan, wait until everything works")
    destroy = commands.add_parser("destroy", help="destroy an environment, and list what remains")
    status_ = commands.add_parser("status", help="show instances, versions, replacements, alarms")
    rotate_ = commands.add_parser("rotate", help="replace a secret, and the instances that read it")
    image_ = commands.add_parser("image", help="build and push the image of the checked-out commit")
    smoke_ = commands.add_parser("smoke", help="run a job through the public address")
    restore = commands.add_parser("restore", help="replace the database by a backup")
    renew = commands.add_parser("renew", help="give the installation a new id, after a restore by other means")
    restart = commands.add_parser("restart", help="replace every instance, without an interruption")
    for command in (plan, apply, destroy, status_, rotate_, image_, smoke_, restore, renew, restart):
        command.add_argument("environment", metavar="ENV", help="development, staging or production")
    for command in (bootstrap_, apply, destroy, image_, rotate_):
        command.add_argument("--dry-run", action="store_true", help="show every command, and change nothing")
    for command in (plan, apply):
        command.add_argument(
            "--image-tag",
            default=os.environ.get("IMAGE_TAG") or None,
            metavar="TAG",
            help="in the registry (default: IMAGE_TAG, or what runs, or the newest)",
        )
    apply.add_argument("--yes", action="store_true", help="do not ask")
    _add_seconds(apply, 5400.0, "for the new instances; the old ones finish their jobs first (drain_seconds)")
    which = restore.add_mutually_exclusive_group(required=True)
    which.add_argument("--time", type=_time, metavar="ISO8601", help="with a UTC offset: 2026-11-22T10:00:00Z")
    which.add_argument("--snapshot", metavar="NAME")
    restore.add_argument("--yes", action="store_true", help="do not ask")
    _add_seconds(restore, 7200.0, "for each step of RDS")
    _add_seconds(renew, 300.0, "for an instance in service")
    _add_seconds(restart, 5400.0, "for the new instances")
    destroy.add_argument("--confirm", metavar="ENV", help="do not ask")
    destroy.add_argument("--keep-snapshot", action="store_true", help="of the database; it costs money until deleted")
    _add_seconds(destroy, 300.0, "until AWS no longer lists what is gone")
    status_.add_argument("--json", action="store_true", help="write JSON; null: nothing was applied")
    rotate_.add_argument("secret", metavar="SECRET", help=", ".join(rotate.KINDS))
    image_.add_argument("--sign-in", action="store_true", help="only sign Docker in to the registry")
    return parser


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text} has no offset: {text}Z is UTC")
    return found


def _add_seconds(command: argparse.ArgumentParser, default: float, what: str) -> None:
    command.add_argument(
        "--timeout", type=float, default=default, metavar="SECONDS", help=f"{what} (default: %(default).0f)"
    )
