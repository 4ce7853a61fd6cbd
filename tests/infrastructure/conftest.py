"""One platform in containers for all tests that need one, which repair what they break; and one AWS on loopback."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.compose import ComposeStack, left_of, require_engine
from support.fake_aws.server import FakeAws
from support.terraform import Terraform, copy_to, program
from support.terraform_installation import Installation, Removal
from support.terraform_life import Life

PROFILES = ("rabbitmq", "mail", "flower", "demo-user-interface")
SERVERS = ("postgres", "redis", "api-server", "scheduler", "dag-processor", "triggerer", "gateway", "agent")
DEFAULT = {**{f"{name}-1": "healthy" for name in SERVERS}, "secrets-1": "exited 0", "migrate-1": "exited 0"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put those that need the shared platform last, for it costs processors also while others run.

    Among them, those that change what it consists of come after those that take it as it is, so that it changes once.
    """

    def rank(item: pytest.Item) -> int:
        fixtures = getattr(item, "fixturenames", ())
        return 0 if "_running" not in fixtures else 1 if "compose_stack" in fixtures else 2

    items.sort(key=rank)


@pytest.fixture(scope="session")
def compose_image() -> str:
    """The project's image, built from the source that is here."""
    require_engine()
    ComposeStack("coinrequest-build").compose("build", "-q", timeout=900)
    return "coinrequest:development"


@pytest.fixture(scope="session")
def _running(compose_image: str) -> Iterator[ComposeStack]:
    stack = ComposeStack(f"coinrequest-test-{os.getpid()}")
    try:
        stack.up()
        yield stack
    finally:
        stack.down()
    assert left_of(stack.project) == []


@pytest.fixture
def compose_stack(_running: ComposeStack) -> ComposeStack:
    """The running platform: every service that the Compose file starts by default, with one agent, and healthy."""
    states = _running.states()
    if states != DEFAULT and not _running.settings["COMPOSE_PROFILES"]:
        _running.scale(1)
        states = _running.states()
    if states != DEFAULT or _running.settings["COMPOSE_PROFILES"]:
        # What belongs to a profile is no orphan for Compose; it is taken away by name.
        _running.compose("--profile", "*", "rm", "-s", "-f", *PROFILES)
        _running.up()
    return _running


@pytest.fixture(scope="session", autouse=True)
def _life(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life | None]:
    """Begin at once with what takes AWS ten minutes of waiting and no work; other tests run meanwhile."""
    asked = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    if "aws" not in asked or not Life.is_possible():
        yield None
        return
    parts = {name.removeprefix("aws_") for name in asked if name.startswith("aws_")}
    with Life.begin(tmp_path_factory.mktemp("account"), parts) as life:
        yield life


@pytest.fixture(scope="session")
def aws(_life: Life | None) -> FakeAws:
    """An AWS on loopback."""
    if _life is None:
        program()
        pytest.skip("THERE IS NO MOTO, so nothing was planned or applied: make test installs it")
    return _life.aws


@pytest.fixture(scope="session")
def aws_account(aws: FakeAws, _life: Life) -> Path:
    """What an account has once is there: return a copy of `terraform/` that has the backend's address."""
    return _life.account.result()


@pytest.fixture(scope="session")
def aws_production(aws_account: Path, _life: Life) -> Installation:
    """Production, as it was right after it was built; it may have been taken down since."""
    return _life.production.result()


@pytest.fixture(scope="session")
def aws_removal(aws_production: Installation, _life: Life) -> Removal:
    """How production was taken down."""
    return _life.removal.result()


@pytest.fixture(scope="session")
def local_terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """Terraform in a copy of the root that keeps its state to itself; without credentials."""
    program()
    folder = copy_to(tmp_path_factory.mktemp("terraform"))
    (folder / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    terraform = Terraform(folder)
    terraform.init()
    return terraform
