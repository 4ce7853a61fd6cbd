"""One platform in containers for all tests that need one, which repair what they break; and one AWS on loopback."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_aws.server import FakeAws, fake_aws
from support.compose import ComposeStack, left_of, require_engine
from support.terraform import Terraform, copy_to, default_of, program
from terraform_installation import Installation, build

PROFILES = ("rabbitmq", "mail", "flower", "demo-user-interface")
SERVERS = ("postgres", "redis", "api-server", "scheduler", "dag-processor", "triggerer", "gateway", "agent")
DEFAULT = {**{f"{name}-1": "healthy" for name in SERVERS}, "secrets-1": "exited 0", "migrate-1": "exited 0"}


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


@pytest.fixture(scope="session")
def aws() -> Iterator[FakeAws]:
    """An AWS on loopback without anything in it."""
    program()
    pytest.importorskip("moto", reason="THERE IS NO MOTO, so nothing was planned or applied: make test installs it")
    with fake_aws(default_of("machine_image")) as running:
        yield running


@pytest.fixture(scope="session")
def account(aws: FakeAws, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an account has once (terraform/bootstrap): return a copy of `terraform/` that has the backend's address."""
    folder = copy_to(tmp_path_factory.mktemp("account"))
    bootstrap = Terraform(folder / "bootstrap", aws.environment)
    bootstrap.init()
    bootstrap.must("apply", "-auto-approve", "-var-file=../environments/installation.example.tfvars")
    (folder / "backend.hcl").write_text(bootstrap.must("output", "-raw", "backend"))
    return folder


@pytest.fixture(scope="session")
def production(aws: FakeAws, account: Path) -> Installation:
    """Production, as it was right after it was built; a test may have taken it down since."""
    return build(aws, account)


@pytest.fixture(scope="session")
def local_terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """Terraform in a copy of the root that keeps its state to itself; without credentials."""
    program()
    folder = copy_to(tmp_path_factory.mktemp("terraform"))
    (folder / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    terraform = Terraform(folder)
    terraform.init()
    return terraform
