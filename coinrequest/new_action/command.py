"""The command line of `coinrequest new`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from coinrequest.new_action.scaffold import DEFAULT_FOLDER, Scaffold, ScaffoldRefused, scaffold


def main(arguments: Sequence[str]) -> int:
    """Run `coinrequest new`; return the exit code."""
    parser = argparse.ArgumentParser(prog="coinrequest new", description="Write the files of something new.")
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    action = kinds.add_parser(
        "action",
        help="a package with an action, its test and its entry point",
        description="Write a package with an action that works, its test and its entry point. Nothing is overwritten.",
    )
    action.add_argument("name", help="name of the action, such as text.count")
    action.add_argument(
        "--directory",
        type=Path,
        help=f"folder of the package (default: {DEFAULT_FOLDER}/ and the name, in this folder)",
    )
    action.add_argument("--dry-run", action="store_true", help="show the files without writing them")
    options = parser.parse_args(arguments)
    try:
        package = scaffold(options.name, options.directory)
        if options.dry_run:
            package.check()
            _show(package)
        else:
            package.write()
            _tell(package)
    except ScaffoldRefused as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _show(package: Scaffold) -> None:
    for path, text in package.contents().items():
        print(f"would write {path} ({len(text.splitlines())} lines)")


def _tell(package: Scaffold) -> None:
    for path in package.contents():
        print(f"wrote {path}")
    print("Next:")
    print(f"  .venv/bin/pytest {package.directory}")
    print(f"  echo {package.requirement} >> extra-requirements.txt")
    print("  make up          (docs/how-to/write-an-action.md)")
