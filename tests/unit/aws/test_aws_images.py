"""The images in the registry, and how one gets there."""

import hashlib
import json

import pytest
from support.fake_terraform import COMMIT, REGISTRY, FakeTerraform

from aws import cli, image
from aws.account import client
from aws.installation import Account
from release.errors import Refused


@pytest.fixture
def repository(account: Account) -> None:
    client("ecr").create_repository(repositoryName="coinrequest")
    for tag in ("first", "latest", "second"):
        put(tag, tag)


def put(content: str, tag: str) -> None:
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    config = {"digest": "sha256:" + hashlib.sha256(content.encode()).hexdigest()}
    text = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": config})
    client("ecr").put_image(repositoryName="coinrequest", imageManifest=text, imageManifestMediaType=kind, imageTag=tag)


def test_the_wanted_one_else_what_runs(account: Account, repository: None) -> None:
    assert image.choose(account, "production", "first", f"{REGISTRY}/coinrequest:second") == "first"
    assert image.choose(account, "production", None, f"{REGISTRY}/coinrequest:second") == "second"
    assert image.choose(account, "production", None, None) in ("first", "second")
    assert sorted(image.tags(account)) == ["first", "second"]


def test_one_that_is_not_there(account: Account, repository: None) -> None:
    with pytest.raises(Refused, match=r"no image coinrequest:third\. Build and push one: make release COMMAND=build"):
        image.choose(account, "production", "third", None)


def test_no_registry_yet(account: Account) -> None:
    with pytest.raises(Refused, match="python -m aws bootstrap"):
        image.choose(account, "production", None, None)


def test_an_image_is_built_for_aws_and_pushed(
    world: FakeTerraform, repository: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["image", "production"], world.execute) == 0
    login, build, push = [line for line in world.lines if line.startswith("docker ")]
    assert login == f"docker login --username AWS --password-stdin {REGISTRY}"
    assert f"--tag {REGISTRY}/coinrequest:{COMMIT} " in build
    assert "--build-arg 'OPTIONS=--extra aws'" in build
    assert push == f"docker push {REGISTRY}/coinrequest:{COMMIT}"
    password = world.given[world.lines.index(login)]
    assert password
    shown = capsys.readouterr().out
    assert f"In the registry: {REGISTRY}/coinrequest:{COMMIT}" in shown
    assert password not in shown
    assert not [line for line in world.lines if password in line]


def test_a_commit_that_is_there_is_not_built_again(world: FakeTerraform, repository: None) -> None:
    put("first", COMMIT)
    assert cli.main(["image", "production"], world.execute) == 0
    assert [line for line in world.lines if line.startswith("docker ")] == []


def test_signing_in_alone(world: FakeTerraform) -> None:
    assert cli.main(["image", "production", "--sign-in"], world.execute) == 0
    assert [line.split()[1] for line in world.lines if line.startswith("docker ")] == ["login"]


def test_a_dry_run_asks_for_no_password(world: FakeTerraform, repository: None) -> None:
    assert cli.main(["image", "production", "--dry-run"], world.execute) == 0
    assert [line for line in world.lines if line.startswith("docker ")] == []
