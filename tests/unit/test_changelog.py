"""The changelog: in the format of Keep a Changelog, and with the project's version."""

import re
import tomllib

from coinrequest.stack.layout import project_root

ROOT = project_root()
CATEGORIES = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
_RELEASE = re.compile(r"\[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}")


def _versions() -> dict[str, str]:
    """Return the text below each heading of a version."""
    text = (ROOT / "CHANGELOG.md").read_text()
    return dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n)*)", text, re.MULTILINE))


def test_versions_follow_the_unreleased_changes_from_the_newest_on() -> None:
    unreleased, *released = _versions()
    assert unreleased == "[Unreleased]"
    matches = [_RELEASE.fullmatch(heading) for heading in released]
    numbers = [tuple(map(int, match[1].split("."))) for match in matches if match is not None]
    assert len(numbers) == len(released), released
    assert numbers == sorted(numbers, reverse=True)


def test_each_category_stands_once_in_the_usual_order() -> None:
    for heading, text in _versions().items():
        found = re.findall(r"^### (.+)$", text, re.MULTILINE)
        assert found == [category for category in CATEGORIES if category in found], heading
        assert set(found) <= set(CATEGORIES), heading


def test_it_knows_the_version_of_the_project() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    versions = _versions()
    assert f"version {version}" in versions["[Unreleased]"] or any(f"[{version}]" in heading for heading in versions)
