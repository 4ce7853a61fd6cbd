"""The images in the account's registry: list, choose, build and push."""

import base64
from typing import Any

from aws.account import client
from aws.installation import REPOSITORY, Account
from release import image as images
from release import source
from release.aws import BUILD_ARGUMENT
from release.commands import Commands
from release.errors import Refused

_HOW = "Build and push one: make release COMMAND=build TARGET=aws ENV={0}, or only the image: python -m aws image {0}"


def choose(account: Account, environment: str, wanted: str | None, running: str | None) -> str:
    """Return the tag of the image to run: the wanted one, or what runs, or the newest.

    Args:
        account: whose registry is asked.
        environment: for the message.
        wanted: the tag that the operator named; None: none.
        running: the image that runs now, with registry and tag; None: nothing runs.

    Raises:
        Refused: the registry does not have it, or has none.
    """
    tag = wanted or (images.parse(running).tag if running else None)
    there = tags(account)
    if tag is None:
        if not there:
            raise Refused(f"The registry has no image yet. {_HOW.format(environment)}")
        return there[0]
    if tag not in there:
        raise Refused(f"The registry has no image {REPOSITORY}:{tag}. {_HOW.format(environment)}")
    return tag


def tags(account: Account) -> list[str]:
    """Return the tags in the registry, the newest image first.

    Raises:
        Refused: there is no registry.
    """
    from botocore.exceptions import ClientError

    pages = (
        client("ecr")
        .get_paginator("describe_images")
        .paginate(registryId=account.id, repositoryName=REPOSITORY, filter={"tagStatus": "TAGGED"})
    )
    found: list[dict[str, Any]] = []
    try:
        for page in pages:
            found += page["imageDetails"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "RepositoryNotFoundException":
            raise
        raise Refused(f"Account {account.id} has no registry yet. Once: python -m aws bootstrap") from error
    found.sort(key=lambda one: one["imagePushedAt"], reverse=True)
    return [tag for one in found for tag in one["imageTags"] if tag != "latest"]


def sign_in(commands: Commands, account: Account) -> None:
    """Sign Docker in to the registry, for 12 hours. No argument and no output holds the password."""
    password = ""
    if not commands.dry_run:
        token = client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
        password = base64.b64decode(token).decode().partition(":")[2]
    argv = ("docker", "login", "--username", "AWS", "--password-stdin", account.registry)
    commands.run(*argv, stdin=password, comment="a password for 12 hours")


def build(commands: Commands, account: Account) -> str:
    """Build the image of the checked-out commit, without tests, and push it; return its name.

    Tags in the registry are immutable, so an image that is there already is not built again.
    """
    commit = source.commit(commands)
    name = images.name_of(commit, account.registry)
    if commit in tags(account):
        commands.output.line(f"{name} is already there.")
        return name
    sign_in(commands, account)
    with commands.output.step(f"build {name}"):
        images.build(commands, name, commit, (BUILD_ARGUMENT,))
    with commands.output.step("push"):
        images.push(commands, name)
    return name
