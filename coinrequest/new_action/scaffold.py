"""The files of a package with an action."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from coinrequest.actions.base import ACTION_NAME
from coinrequest.actions.catalogue import action_names
from coinrequest.errors import CoinrequestError

DEFAULT_FOLDER = Path("my-actions")
_LONGEST = 100
_IMPORT = "from pydantic import ValidationError"


class ScaffoldRefused(CoinrequestError, ValueError):
    """The package cannot be written; the message has the reason and a remedy."""


@dataclass(frozen=True)
class Scaffold:
    """A package with an action that counts words, to start from.

    Attributes:
        name: the name of the action, such as `text.count`.
        directory: the folder of the package.
    """

    name: str
    directory: Path

    @property
    def package(self) -> str:
        """The name of the package, such as `text-count`."""
        return re.sub(r"[._]+", "-", self.name).strip("-")

    @property
    def module(self) -> str:
        """The name of the module, such as `text_count`."""
        return self.name.replace(".", "_")

    @property
    def requirement(self) -> str:
        """The line of `extra-requirements.txt` that installs the package."""
        if self.directory.is_absolute() or self.directory.parts[:1] == ("..",):
            return str(self.directory)
        return f"./{self.directory.as_posix()}"

    def contents(self) -> Mapping[Path, str]:
        """Return the text of each file, by its path."""
        module = self.directory / "src" / self.module / "__init__.py"
        paths = {
            self.directory / "pyproject.toml": "pyproject.toml",
            self.directory / "README.md": "README.md",
            module: "action.py",
            self.directory / "tests" / f"test_{self.module}.py": "test_action.py",
        }
        action = "".join(part.capitalize() for part in re.split(r"[._]+", self.name))
        words = {
            "name": self.name,
            "package": self.package,
            "module": self.module,
            "action": action,
            "imports": "\n".join(
                sorted([_IMPORT, f"from {self.module} import {', '.join(sorted(['EmptyText', action]))}"])
            ),
            "directory": self.directory.as_posix(),
            "requirement": self.requirement,
        }
        templates = files(__package__) / "templates"
        return {
            path: Template((templates / f"{template}.txt").read_text(encoding="utf-8")).substitute(words)
            for path, template in paths.items()
        }

    def write(self) -> None:
        """Write all files, or none.

        Raises:
            ScaffoldRefused: the folder exists and is not empty, or cannot be written.
        """
        self.check()
        try:
            for path, text in self.contents().items():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ScaffoldRefused(f"{self.directory} cannot be written: {error.strerror or error}") from None

    def check(self) -> None:
        """Check that nothing would be overwritten.

        Raises:
            ScaffoldRefused: the folder exists and is not empty.
        """
        if self.directory.exists() and (not self.directory.is_dir() or any(self.directory.iterdir())):
            raise ScaffoldRefused(f"{self.directory} exists and is not empty; name another folder with --directory")


def scaffold(name: str, directory: Path | None = None) -> Scaffold:
    """Return the package of a new action.

    Args:
        name: the name of the action.
        directory: the folder of the package; by default one below `my-actions`.

    Raises:
        ScaffoldRefused: the name is not that of an action, or an installed action has it.
    """
    if not ACTION_NAME.fullmatch(name):
        raise ScaffoldRefused(_remedy(name))
    if len(name) > _LONGEST:
        raise ScaffoldRefused(f"the name has {len(name)} characters; the limit is {_LONGEST}")
    if name in action_names():
        raise ScaffoldRefused(f"an installed action is called {name!r}; choose another name")
    package = Scaffold(name, Path())
    return Scaffold(name, directory if directory is not None else DEFAULT_FOLDER / package.package)


def _remedy(name: str) -> str:
    rule = "write two words in lower case with a dot between them, as in text.count"
    words = re.findall(r"[a-z][a-z0-9]*", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", ".", name).lower())
    better = ".".join(words)
    hint = f"; did you mean {better!r}?" if len(words) > 1 and len(better) <= _LONGEST else ""
    return f"{name[:_LONGEST]!r} cannot be the name of an action: {rule}{hint}"
