"""Which images an administrator's list allows, and which look as if it did."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coinrequest.actions.containers.images import ImageInvalid, is_allowed, parse_image, parse_pattern

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("python", "docker.io/library/python:latest"),
        ("python:3.12", "docker.io/library/python:3.12"),
        ("docker.io/library/python:3.12", "docker.io/library/python:3.12"),
        ("index.docker.io/python", "docker.io/library/python:latest"),
        ("team/tool", "docker.io/team/tool:latest"),
        ("ghcr.io/team/tool:v1", "ghcr.io/team/tool:v1"),
        ("localhost/tool", "localhost/tool:latest"),
        ("localhost:5000/tool:1", "localhost:5000/tool:1"),
        ("Registry.Example.org/a/b", "registry.example.org/a/b:latest"),
        ("[::1]:5000/tool", "[::1]:5000/tool:latest"),
        (f"python@{DIGEST}", f"docker.io/library/python@{DIGEST}"),
        (f"python:3.12@{DIGEST}", f"docker.io/library/python@{DIGEST}"),
    ],
)
def test_a_name_is_completed_as_docker_does(text: str, full: str) -> None:
    assert str(parse_image(text)) == full
    assert str(parse_image(full)) == full


@pytest.mark.parametrize(
    "text",
    [
        "",
        " python",
        "python ",
        "Python",
        "py thon",
        "python:",
        "python:a b",
        "python:" + "a" * 129,
        "python@sha256:abc",
        f"python@{DIGEST}@{DIGEST}",
        "python@",
        "../python",
        "a//b",
        "/python",
        "ghcr.io/",
        "ghcr.io/team/../other",
        "-v",
        "--privileged",
        "https://ghcr.io/team/tool",
        "user@ghcr.io/team/tool",
        "ghcr.io:99999999/tool",
        "pythön",
        "python\n",
        "python:3.12\n",
        "ghcr.io\n/team",
        "a/" * 200 + "b",
        "*",
    ],
)
def test_malformed_names_are_refused(text: str) -> None:
    with pytest.raises(ImageInvalid):
        parse_image(text)


@pytest.mark.parametrize(
    ("pattern", "allowed", "refused"),
    [
        ("python:3.12", ["python:3.12", "docker.io/python:3.12"], ["python", "python:3.13", f"python:3.12@{DIGEST}"]),
        ("python", ["python", "python:latest"], ["python:3.12", f"python@{DIGEST}"]),
        ("python:*", ["python", "python:3.12", f"python@{DIGEST}"], ["evil/python:3.12", "ghcr.io/library/python"]),
        (f"python@{DIGEST}", [f"python@{DIGEST}", f"python:x@{DIGEST}"], [f"python@{OTHER}", "python", "python:3.12"]),
        (
            "registry.example.org/team/*",
            ["registry.example.org/team/a", "REGISTRY.example.org/team/a/b:1", f"registry.example.org/team/a@{DIGEST}"],
            [
                "registry.example.org/team",
                "registry.example.org/teams/a",
                "registry.example.org/other/team/a",
                "registry.example.org.evil.net/team/a",
                "evil.registry.example.org/team/a",
                "registry.example.org:5000/team/a",
                "evil.net/registry.example.org/team/a",
                "team/a",
                "docker.io/team/a",
            ],
        ),
        ("team/*", ["team/a", "docker.io/team/a:1"], ["a", "teams/a", "ghcr.io/team/a", "localhost/team/a"]),
        ("docker.io/*", ["python", "team/a/b"], ["ghcr.io/python", "localhost/python"]),
        ("ghcr.io/*", ["ghcr.io/python", "ghcr.io/a/b/c:1"], ["python", "ghcr.io:444/a"]),
        ("library/*", ["python", "redis:7"], ["team/python"]),
        ("localhost:5000/*", ["localhost:5000/a"], ["localhost/a", "localhost:5001/a"]),
    ],
)
def test_an_entry_allows_the_images_that_it_matches(pattern: str, allowed: list[str], refused: list[str]) -> None:
    assert [text for text in allowed if not is_allowed(parse_image(text), [pattern])] == []
    assert [text for text in refused if is_allowed(parse_image(text), [pattern])] == []


@pytest.mark.parametrize(
    "pattern",
    ["*", "*/*", "*:*", "*.example.org/*", "ghcr.io/*/tool", "py*", "python:3.*", "ghcr.io/**", "/*", ":*", ""],
)
def test_invalid_entries_are_refused(pattern: str) -> None:
    with pytest.raises(ImageInvalid):
        parse_pattern(pattern)


def test_an_empty_list_allows_nothing_and_invalid_entries_are_always_reported() -> None:
    assert not is_allowed(parse_image("python"), [])
    with pytest.raises(ImageInvalid):
        is_allowed(parse_image("python"), ["python", "*"])


NAMES = st.from_regex(r"[a-z0-9]{1,5}(\.[a-z]{2,3}(:5000)?)?(/[a-z0-9]{1,4}){0,3}(:[a-z0-9.]{1,4})?", fullmatch=True)


@given(NAMES, NAMES)
def test_an_exact_entry_allows_one_full_name(pattern: str, text: str) -> None:
    try:
        first, second = parse_image(pattern), parse_image(text)
    except ImageInvalid:
        return
    assert is_allowed(second, [pattern]) == (str(first) == str(second))
    assert is_allowed(first, [str(first)])


@given(st.text(max_size=30))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        image = parse_image(text)
    except ImageInvalid:
        return
    assert parse_image(str(image)) == image or image.digest
