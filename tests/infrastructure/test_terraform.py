"""What Terraform would build: its own tests where it is installed, and what can be read from the text everywhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.terraform import ENVIRONMENTS, TERRAFORM, Terraform

pytestmark = pytest.mark.aws

ROOTS = (TERRAFORM, TERRAFORM / "bootstrap")
_REGION = re.compile(r"\b(?:af|ap|ca|cn|eu|il|me|mx|sa|us)(?:-gov|-iso[a-z]?)?-(?:[a-z]+)-\d[a-z]?\b")
# The address of a secret is none, nor is whether tokens are asked for (http_tokens).
_SECRET = re.compile(
    r"^\s*\w*(?:password|secret|token|private_key|access_key)\w*\s*=\s*\"(?!arn:|required\")[^\"$]+\"", re.I | re.M
)
_ACCESS_KEY = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")


def texts(*suffixes: str) -> Iterator[tuple[Path, str]]:
    for path in sorted(TERRAFORM.rglob("*")):
        if path.is_file() and path.suffix in suffixes and ".terraform" not in path.parts:
            yield path, path.read_text()


# -- read from the text ------------------------------------------------------------------------------------


def test_no_region_but_one_is_named() -> None:
    for path, text in texts(".tf", ".hcl", ".md", ".tfvars"):
        assert set(_REGION.findall(text)) <= {"eu-west-1"}, path


@pytest.mark.parametrize("root", ROOTS, ids=lambda root: root.name)
def test_region_and_account_are_guarded(root: Path) -> None:
    versions = (root / "versions.tf").read_text()
    assert re.search(r'condition\s*=\s*var\.region == "eu-west-1"', (root / "variables.tf").read_text())
    assert re.search(r"region\s*=\s*var\.region", versions)
    assert re.search(r"allowed_account_ids\s*=\s*\[var\.account_id\]", versions)


def test_no_secret_is_written_down() -> None:
    for path, text in texts(".tf", ".hcl", ".tfvars", ".md"):
        assert not _SECRET.search(text), path
        assert not _ACCESS_KEY.search(text), path


@pytest.mark.parametrize("root", ROOTS, ids=lambda root: root.name)
def test_versions_are_pinned(root: Path) -> None:
    versions = (root / "versions.tf").read_text()
    lock = (root / ".terraform.lock.hcl").read_text()
    constraint = re.search(r'source\s*=\s*"hashicorp/aws"\s*version\s*=\s*"([^"]+)"', versions)
    assert constraint is not None
    assert re.search(r'required_version\s*=\s*"~> 1\.\d+"', versions)
    assert re.search(rf'constraints = ".*{re.escape(constraint[1])}', lock)
    assert lock.count("provider ") == 1, "one provider, one to trust"
    assert len(re.findall(r'"(?:h1|zh):', lock)) > 2


def test_states_are_not_committed() -> None:
    ignored = (TERRAFORM / ".gitignore").read_text().split()
    assert {"*.tfstate", "*.tfstate.*", ".terraform/", "backend.hcl"} <= set(ignored)
    committed = {path.name for path in TERRAFORM.rglob("*.tfvars")} - {"installation.tfvars"}
    assert committed == {*(f"{name}.tfvars" for name in ENVIRONMENTS), "installation.example.tfvars"}


# -- run by Terraform --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bootstrap(local_terraform: Terraform) -> Terraform:
    terraform = Terraform(local_terraform.folder / "bootstrap")
    terraform.init()
    return terraform


def test_the_text_is_formatted() -> None:
    done = Terraform(TERRAFORM).run("fmt", "-check", "-diff", "-recursive")
    assert done.returncode == 0, done.stdout


def test_the_text_is_valid(local_terraform: Terraform, bootstrap: Terraform) -> None:
    for terraform in (local_terraform, bootstrap):
        # A warning is an error too: of something that the next version of the provider has no more.
        assert terraform.json("validate")["diagnostics"] == []


def test_terraforms_own_tests_of_the_root_pass(local_terraform: Terraform) -> None:
    passes(local_terraform)


def test_terraforms_own_tests_of_bootstrap_pass(bootstrap: Terraform) -> None:
    passes(bootstrap)


def passes(terraform: Terraform) -> None:
    done = terraform.run("test", timeout=1800)
    assert done.returncode == 0, done.stdout[-8000:]
    assert re.search(r"Success! [1-9]\d* passed, 0 failed", done.stdout), done.stdout


def test_the_refusal_of_another_region_is_clear(bootstrap: Terraform) -> None:
    variables = ("-var=account_id=123456789012", "-var=zone_name=example.org", "-var=region=elsewhere-1")
    done = bootstrap.run("plan", *variables)
    assert done.returncode != 0
    assert "eu-west-1 only" in done.stdout
