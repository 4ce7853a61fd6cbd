"""What Terraform would build: its own tests where it is installed, and what can be read from the text everywhere."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

TERRAFORM = Path(__file__).resolve().parents[2] / "terraform"
BOOTSTRAP = TERRAFORM / "bootstrap"
_REGION = re.compile(r"\b(?:af|ap|ca|cn|eu|il|me|mx|sa|us)(?:-gov|-iso[a-z]?)?-(?:[a-z]+)-\d[a-z]?\b")
_NAME_OF_SECRET = re.compile(
    r"^\s*\w*(?:password|secret|token|private_key|access_key)\w*\s*=\s*\"[^\"$]+\"", re.I | re.M
)
_ACCESS_KEY = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")
_MIRRORS = (
    Path.home() / ".terraform.d/plugins",
    *map(Path, ("/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins")),
)


def texts(*suffixes: str) -> Iterator[tuple[Path, str]]:
    for path in sorted(TERRAFORM.rglob("*")):
        if path.is_file() and path.suffix in suffixes and ".terraform" not in path.parts:
            yield path, path.read_text()


# -- read from the text ------------------------------------------------------------------------------------


def test_no_region_but_one_is_named() -> None:
    for path, text in texts(".tf", ".hcl", ".md", ".tfvars"):
        assert set(_REGION.findall(text)) <= {"eu-west-1"}, path


def test_the_region_is_guarded() -> None:
    variables = (BOOTSTRAP / "variables.tf").read_text()
    assert re.search(r'condition\s*=\s*var\.region == "eu-west-1"', variables)
    assert re.search(r"region\s*=\s*var\.region", (BOOTSTRAP / "versions.tf").read_text())


def test_no_secret_is_written_down() -> None:
    for path, text in texts(".tf", ".hcl", ".tfvars", ".md"):
        assert not _NAME_OF_SECRET.search(text), path
        assert not _ACCESS_KEY.search(text), path


def test_versions_are_pinned() -> None:
    versions = (BOOTSTRAP / "versions.tf").read_text()
    lock = (BOOTSTRAP / ".terraform.lock.hcl").read_text()
    constraint = re.search(r'source\s*=\s*"hashicorp/aws"\s*version\s*=\s*"([^"]+)"', versions)
    assert constraint is not None
    assert re.search(r'required_version\s*=\s*"~> 1\.\d+"', versions)
    assert f'constraints = "{constraint[1]}"' in lock
    assert len(re.findall(r'"(?:h1|zh):', lock)) > 2


def test_states_are_not_committed() -> None:
    ignored = (TERRAFORM / ".gitignore").read_text().split()
    assert {"*.tfstate", "*.tfstate.*", ".terraform/", "backend.hcl"} <= set(ignored)
    assert not list(TERRAFORM.rglob("*.tfvars"))


# -- run by Terraform --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def terraform() -> str:
    program = shutil.which("terraform")
    if program is None:
        pytest.skip("TERRAFORM IS NOT INSTALLED: its own tests were not run, only the text was checked")
    return program


@pytest.fixture(scope="module")
def bootstrap(terraform: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An initialised copy, so that the working tree stays as it is."""
    copy = tmp_path_factory.mktemp("terraform") / "bootstrap"
    shutil.copytree(BOOTSTRAP, copy, ignore=shutil.ignore_patterns(".terraform", "*.tfstate*", "backend_override.tf"))
    words = ["init", "-backend=false", "-lockfile=readonly"]
    mirror = _mirror()
    done = run(terraform, copy, *words, *([f"-plugin-dir={mirror}"] if mirror else []))
    if done.returncode != 0:
        pytest.skip(f"THE AWS PROVIDER CANNOT BE INSTALLED, Terraform's own tests were not run: {done.stdout[-500:]}")
    return copy


def _mirror() -> Path | None:
    """The local mirror of the provider, where there is one; None: it comes from the registry."""
    named = os.environ.get("TF_PLUGIN_DIR")
    candidates = [*([Path(named)] if named else []), *_MIRRORS, *sorted(Path("/opt").glob("*/"))]
    return next((path for path in candidates if (path / "registry.terraform.io/hashicorp/aws").is_dir()), None)


def run(terraform: str, folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_VAR_"))}
    named = variables.get("TF_CLI_CONFIG_FILE")
    if named and not Path(named).exists():
        del variables["TF_CLI_CONFIG_FILE"]
    variables |= {
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "CHECKPOINT_DISABLE": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return subprocess.run(
        [terraform, f"-chdir={folder}", words[0], "-no-color", *words[1:]],
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_text_is_formatted(terraform: str) -> None:
    done = run(terraform, TERRAFORM, "fmt", "-check", "-recursive")
    assert done.returncode == 0, done.stdout


def test_terraforms_own_tests_pass(terraform: str, bootstrap: Path) -> None:
    done = run(terraform, bootstrap, "test")
    assert done.returncode == 0, done.stdout
    assert re.search(r"Success! [1-9]\d* passed, 0 failed", done.stdout), done.stdout


def test_the_refusal_of_another_region_is_clear(terraform: str, bootstrap: Path) -> None:
    done = run(terraform, bootstrap, "plan", "-var=account_id=123456789012", "-var=region=elsewhere-1")
    assert done.returncode != 0
    assert "eu-west-1 only" in done.stdout
