"""The shape of the repository, and what its documents say about it."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from coinrequest.stack.layout import project_root

ROOT = project_root()
LINES = {".py": 350, ".md": 400, ".cfg": 400, ".yaml": 400, ".sh": 400}
FUNCTION_LINES = 60
EXPECTED = (
    "dags",
    "plugins",
    "coinrequest",
    "config/airflow.cfg",
    "docker-compose.yaml",
    "terraform",
    "tests",
    "README.md",
    "Makefile",
    "uv.lock",
    ".ci/run",
)
REQUIRED = (
    "apache-airflow",
    "apache-airflow-providers-celery",
    "apache-airflow-providers-postgres",
    "redis",
    "requests",
    "pytest",
)
# A project of its own, because it pins what others need newer.
CHECKOV = "tests/infrastructure/checkov"
_TREE_LINE = re.compile(r"^(?P<indent> *)(?P<names>\S+(?:  \S+)*)(?:\s{2,}|$)")


def _files() -> list[Path]:
    """Return the files of the repository: those that Git knows, or all where there is no Git."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no Git checkout")
    return [ROOT / name for name in listed if (ROOT / name).is_file()]


def _dependencies() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = [
        project["project"]["dependencies"],
        *project["project"]["optional-dependencies"].values(),
        *project["dependency-groups"].values(),
        tomllib.loads((ROOT / CHECKOV / "pyproject.toml").read_text())["project"]["dependencies"],
    ]
    return {re.split(r"[\s<>=!~;\[]", line, maxsplit=1)[0].lower() for group in groups for line in group}


@pytest.mark.parametrize("path", EXPECTED)
def test_what_is_expected_is_there(path: str) -> None:
    assert (ROOT / path).exists()


def test_the_required_dependencies_are_direct_ones() -> None:
    assert set(REQUIRED) <= _dependencies()


def test_every_direct_dependency_is_justified_in_one_line() -> None:
    text = (ROOT / "docs" / "reference" / "dependencies.md").read_text()
    lines = dict(re.findall(r"^- `([^`]+)`: (.+)$", text, re.MULTILINE))
    assert _dependencies() - set(lines) == set(), "no line in docs/reference/dependencies.md"
    assert set(lines) - _dependencies() == set(), "docs/reference/dependencies.md names what is no dependency any more"


def test_the_lock_pins_every_dependency() -> None:
    locks = [tomllib.loads((ROOT / folder / "uv.lock").read_text()) for folder in (".", CHECKOV)]
    locked = {package["name"] for lock in locks for package in lock["package"]}
    assert {name.replace("_", "-") for name in _dependencies()} <= locked


def test_the_structure_in_the_readme_equals_the_tree() -> None:
    tree = _tree((ROOT / "README.md").read_text())
    assert [path for path in tree if not (ROOT / path).exists()] == []
    packages = {
        f"coinrequest/{path.name}/" for path in (ROOT / "coinrequest").iterdir() if (path / "__init__.py").exists()
    }
    assert packages - set(tree) == set(), "a room that the README does not name"


def test_no_source_file_is_longer_than_a_person_reads_at_once() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in _files()
        if path.suffix in LINES and (count := len(path.read_text().splitlines())) > LINES[path.suffix]
    }
    assert long == {}


def test_no_function_is_longer_than_a_screen() -> None:
    long = {
        f"{path.relative_to(ROOT)}: {node.name}": count
        for path in _files()
        if path.suffix == ".py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (count := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES
    }
    assert long == {}


def test_nothing_secret_or_generated_is_committed() -> None:
    names = {str(path.relative_to(ROOT)) for path in _files()}
    assert [name for name in names if name.startswith((".stack/", ".venv/")) or "__pycache__" in name] == []
    assert [name for name in names if Path(name).name in (".env", "env", "secrets.json") or name.endswith(".pem")] == []


def _tree(readme: str) -> list[str]:
    """Return the paths of the tree that the README draws: four spaces for each level."""
    block = next(
        block
        for block in re.findall(r"^```\w*\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
        if block.startswith("coinrequest/")
    )
    found: list[str] = []
    parents: list[str] = []
    for line in block.splitlines():
        match = _TREE_LINE.match(line)
        if match is None:
            continue
        depth = len(match["indent"]) // 4
        names = [name for name in match["names"].split() if "/" in name or "." in name]
        del parents[depth:]
        found += ["".join(parents) + name for name in names]
        parents.append(names[0] if names else "")
    return found
