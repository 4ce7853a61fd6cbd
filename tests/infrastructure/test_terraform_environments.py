"""Environments differ only in variables, as declared, and none names an account."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from support.declared_differences import Difference, judge, read_declarations
from support.terraform import ENVIRONMENTS, TERRAFORM

from aws.installation import read_variables

pytestmark = pytest.mark.aws

FOLDER = TERRAFORM / "environments"
EXAMPLE = FOLDER / "installation.example.tfvars"
_BLOCK = re.compile(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', re.M | re.S)


def values(environment: str) -> dict[str, Any]:
    return read_variables(FOLDER / f"{environment}.tfvars")


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values with the paths to them: `database.multi_az`."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def blocks(kind: str) -> Iterator[tuple[str, str, str]]:
    """Yield file, name and text of each variable or output."""
    for path in sorted(TERRAFORM.rglob("*.tf")):
        if ".terraform" not in path.parts:
            for found in _BLOCK.finditer(path.read_text()):
                if found[1] == kind:
                    yield str(path.relative_to(TERRAFORM)), found[2], found[3]


def differences(environments: dict[str, dict[str, Any]]) -> list[Difference]:
    """Return the values that differ between environments, as for the overlays of Kubernetes."""
    paths = [flat(values) for values in environments.values()]
    return [
        Difference(path, tuple(str(values.get(path, "-")) for values in paths))
        for path in sorted(set().union(*paths))
        if any(values.get(path, "-") != paths[0].get(path, "-") for values in paths)
    ]


def test_environments_differ_only_as_declared() -> None:
    declared = read_declarations(FOLDER / "differences.yaml")
    undeclared, unused = judge(differences({name: values(name) for name in ENVIRONMENTS}), declared)
    assert not undeclared, "differences without a reason in terraform/environments/differences.yaml"
    assert not unused, "declared, but no difference"
    assert all(entry.reason for entry in declared)


def test_a_difference_that_nobody_declared_is_found() -> None:
    changed = {name: values(name) for name in ENVIRONMENTS}
    changed["staging"]["load_examples"] = True
    undeclared, _ = judge(differences(changed), read_declarations(FOLDER / "differences.yaml"))
    assert [difference.what for difference in undeclared] == ["load_examples"]


def test_each_file_sets_the_same_variables_and_its_own_name() -> None:
    names = {environment: set(values(environment)) for environment in ENVIRONMENTS}
    assert names["development"] == names["staging"] == names["production"]
    for environment in ENVIRONMENTS:
        assert values(environment)["environment"] == environment
    networks = [values(environment)["vpc_cidr"] for environment in ENVIRONMENTS]
    assert len(set(networks)) == len(networks), "networks that may be connected one day"


def test_values_common_to_all_environments_cannot_be_set_for_one() -> None:
    for path in FOLDER.glob("*.tfvars"):
        assert not {"region", "protected", "python", "image_tag"} & set(read_variables(path)), path


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_no_environment_names_an_account(environment: str) -> None:
    text = (FOLDER / f"{environment}.tfvars").read_text()
    assert not re.search(r"\b\d{12}\b|@|arn:", text)
    assert not set(read_variables(EXAMPLE)) & set(values(environment))


def test_the_account_is_not_committed_but_an_example_is() -> None:
    ignored = (TERRAFORM / ".gitignore").read_text().split()
    assert {"installation.tfvars", "environments/installation.tfvars"} & set(ignored)
    example = read_variables(EXAMPLE)
    # AWS' own example of an account, and a domain that nobody can have.
    assert example["account_id"] == "123456789012"
    assert example["zone_name"] == "example.org"
    assert example["alarm_email"].endswith("@example.org")


def test_production_has_no_single_point() -> None:
    production = values("production")
    assert production["nat_gateways"] == 3
    assert production["database"]["multi_az"] is True
    assert production["redis"]["replicas"] >= 1
    assert all(size["minimum"] >= 2 for size in production["capacity"].values())
    assert production["database"]["backup_days"] >= 7


def test_the_usual_machine_is_a_t2_micro() -> None:
    roles = (TERRAFORM / "main.tf").read_text()
    assert re.search(r'instance_type\s*=\s*lookup\(var\.instance_types, each\.key, "t2\.micro"\)', roles)
    readme = (TERRAFORM / "README.md").read_text()
    for environment in ENVIRONMENTS:
        for role, instance_type in values(environment).get("instance_types", {}).items():
            assert role in readme
            assert instance_type in readme, f"terraform/README.md does not say why {role} needs {instance_type}"


def test_every_variable_and_output_is_described() -> None:
    variables, outputs = list(blocks("variable")), list(blocks("output"))
    assert len(variables) > 50
    assert len(outputs) > 10
    for file, name, text in [*variables, *outputs]:
        assert re.search(r'^  description\s*=\s*(?:"[^"]{5,}|<<)', text, re.M), f"{file}: {name} is not described"
    for file, name, text in variables:
        assert re.search(r"^  type\s*=", text, re.M), f"{file}: {name} has no type"
