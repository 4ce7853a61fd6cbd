"""The pages about running it are there, lead to each other, and their commands name what exists."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from coinrequest.stack.layout import project_root

ROOT = project_root()
DOCS = ROOT / "docs"
PAGES = (
    "how-to/scaling",
    "how-to/upgrade",
    "explanation/regions",
    "explanation/trade-offs",
    "explanation/threat-model",
)
LONGEST = 150

_BLOCK = re.compile(r"^```bash\n(.*?)^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]+\]\(([^)#\s]*)(?:#([^)\s]+))?\)")
_ASSIGNMENT = re.compile(r"[A-Z_][A-Z0-9_]*=")
# Options of `docker compose` and `kubectl` that the next word belongs to.
_WITH_A_VALUE = {
    "-f",
    "--file",
    "-p",
    "--project-name",
    "--profile",
    "-n",
    "--namespace",
    "--scale",
    "--type",
    "--patch",
}
_WITH_SERVICES = {"up", "stop", "start", "restart", "logs", "kill", "rm", "scale", "build", "pull"}
_WITH_ONE_SERVICE = {"exec", "run"}
_WITHOUT_SERVICES = {"ps", "down", "config"}
# What custom resources and short names are called in the manifests.
_KINDS = {"deployment": "Deployment", "job": "Job", "hpa": "HorizontalPodAutoscaler", "scaledobject": "ScaledObject"}


def _text(page: str) -> str:
    return (DOCS / f"{page}.md").read_text(encoding="utf-8")


def _without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def _anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _without_code(path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _commands() -> list[tuple[str, list[str]]]:
    """Return every command of the pages' shell blocks, without its variables, and the page it stands on."""
    found = []
    for page in PAGES:
        for line in "".join(_BLOCK.findall(_text(page))).splitlines():
            words = shlex.split(line, comments=True)
            while words and _ASSIGNMENT.match(words[0]):
                words.pop(0)
            if words:
                found.append((page, words))
    return found


def _plain(words: list[str]) -> list[str]:
    """Return the words that are no options, and no values of options; behind `--` stands somebody else's command."""
    found: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            break
        if word in _WITH_A_VALUE:
            next(rest, None)
        elif not word.startswith("-"):
            found.append(word)
    return found


def _scaled(words: list[str]) -> list[str]:
    return [words[at + 1].partition("=")[0] for at, word in enumerate(words) if word == "--scale"]


def _documents(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.rglob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if isinstance(document, dict) and "kind" in document:
                yield document


@pytest.fixture(scope="module")
def services() -> set[str]:
    return set(yaml.safe_load((ROOT / "docker-compose.yaml").read_text(encoding="utf-8"))["services"])


@pytest.fixture(scope="module")
def objects() -> set[tuple[str, str]]:
    return {(str(one["kind"]), str(one.get("metadata", {}).get("name"))) for one in _documents(ROOT / "kubernetes")}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_there_and_short(page: str) -> None:
    lines = _text(page).splitlines()
    assert lines[0].startswith("# ")
    assert len(lines) <= LONGEST


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    dead = []
    for target, anchor in _LINK.findall(_without_code(_text(page))):
        if target.startswith(("https://", "mailto:")):
            continue
        path = (DOCS / page).parent / target if target else DOCS / f"{page}.md"
        if not path.exists() or (anchor and anchor not in _anchors(path)):
            dead.append(f"{target}#{anchor}")
    assert dead == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_found_from_the_readme_and_from_another_page(page: str) -> None:
    assert f"(docs/{page}.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    name = f"{Path(page).name}.md"
    others = [other.stem for other in DOCS.rglob("*.md") if other.name != name and name in other.read_text()]
    assert others


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("how-to/scaling", ("## Agents", "## Web", "## Gateway", "## Broker", "## Database", "scheduler", "triggerer")),
        ("explanation/regions", ("## Data", "## Routing", "## Rollout", "## Failover", "RPO", "RTO")),
        (
            "explanation/trade-offs",
            ("challenges", "Kustomize", "KubernetesExecutor", "Temporal"),
        ),
        (
            "how-to/upgrade",
            ("## Airflow", "### 4. Roll it back", "## PostgreSQL", "## Redis", "## RabbitMQ", "## Python"),
        ),
        (
            "explanation/threat-model",
            ("Assets", "viewer", "type author", "channel publisher", "taken over", "## What remains"),
        ),
    ],
)
def test_a_page_says_what_it_is_for(page: str, words: tuple[str, ...]) -> None:
    assert [word for word in words if word not in _text(page)] == []


def test_every_command_for_compose_names_services_that_exist(services: set[str]) -> None:
    commands = [(page, words[2:]) for page, words in _commands() if words[:2] == ["docker", "compose"]]
    assert commands
    for page, words in commands:
        action, *rest = _plain(words)
        named = _scaled(words)
        if action in _WITH_ONE_SERVICE:
            named.append(rest[0])
        elif action in _WITH_SERVICES:
            named += rest
        else:
            assert action in _WITHOUT_SERVICES, f"{page}: docker compose {action}"
        assert set(named) <= services, f"{page}: {' '.join(words)}"


def test_every_command_for_kubernetes_names_objects_that_exist(objects: set[tuple[str, str]]) -> None:
    commands = [(page, words[1:]) for page, words in _commands() if words[0] == "kubectl"]
    assert commands
    for page, words in commands:
        assert words[:2] == ["-n", "coinrequest"], f"{page}: {' '.join(words)}"
        action, *rest = _plain(words)
        if action == "rollout":
            rest = rest[1:]
        if action == "patch":
            rest = ["/".join(rest)]
        named = {(_KINDS[kind], name) for kind, _, name in (word.partition("/") for word in rest)}
        assert named, f"{page}: {' '.join(words)}"
        assert named <= objects, f"{page}: {' '.join(words)}"


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    called = {word for _, words in _commands() if words[0] == "make" for word in words[1:] if "=" not in word}
    assert called
    assert called <= targets


def test_no_other_program_hides_in_a_command() -> None:
    known = {"docker", "kubectl", "make", "uv"}
    assert {words[0] for _, words in _commands()} <= known


def test_every_file_and_test_that_is_named_exists() -> None:
    """In backquotes, from the root of the repository."""
    missing = [
        f"{page}: {name}"
        for page in PAGES
        for name in re.findall(r"`((?:tests|coinrequest|kubernetes|docker|config)/[\w./-]+)`", _text(page))
        if not (ROOT / name).exists()
    ]
    assert missing == []
