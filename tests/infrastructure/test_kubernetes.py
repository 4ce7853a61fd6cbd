"""What `kubernetes/` renders: known to Kubernetes, kept to policies, different between overlays only as declared."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from support.checkov_command import checkov
from support.declared_differences import judge, overlay_differences, read_declarations
from support.kubernetes_objects import (
    EVERYTHING,
    EXAMPLES,
    KUBERNETES,
    OVERLAYS,
    PROCESSES,
    ROOT,
    named,
    objects,
)
from support.kubernetes_schemas import check_schema

pytestmark = pytest.mark.containers

# The oldest and the newest version of Kubernetes that the manifests are for.
VERSIONS = ("1.31", "1.37")

# Policies of checkov that are not followed, and why. Nobody adds one without a reason.
SKIPPED_POLICIES = {
    "CKV_K8S_15": "always pulling would make a start wait for the registry; tags are commits and never move",
    "CKV_K8S_35": "the processes read their settings from the environment, as in Compose; each has its own",
    "CKV_K8S_43": "the release puts the tag in, which names a commit; a digest here would name one build for ever",
}
# Where else one is not followed.
SKIPPED_FOR = {
    ("CKV_K8S_40", "overlays/development", "StatefulSet"): "the images of the servers bring their account, 999",
    ("CKV_K8S_40", "examples/isolated-tasks", "StatefulSet"): "as development",
    ("CKV_K8S_40", "examples/container-run", "StatefulSet"): "as development",
    ("CKV_K8S_38", "examples/isolated-tasks", "Deployment.coinrequest.scheduler"): "it makes the pods of tasks",
    ("CKV_K8S_38", "examples/container-run", "Deployment.coinrequest.agent"): "it makes the pods of containers",
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("folder", EVERYTHING)
def test_kubernetes_knows_every_field(folder: str, version: str) -> None:
    for document in objects(folder):
        check_schema(document, version)


def test_a_misspelt_field_is_found() -> None:
    pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    for kind, name in (("Deployment", "agent"), ("ScaledObject", "agent")):
        document = json.loads(json.dumps(named("overlays/production", kind, name)))
        document["spec"]["replica"] = 2
        with pytest.raises(Exception, match="replica"):
            check_schema(document, VERSIONS[-1])


@pytest.mark.parametrize("folder", EVERYTHING)
def test_no_object_is_there_twice_and_every_reference_leads_somewhere(folder: str) -> None:
    keys = [(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in objects(folder)]
    assert len(keys) == len(set(keys))
    names = {(kind, name) for kind, _, name in keys}
    text = json.dumps(objects(folder))
    for kind, reference in (
        ("ConfigMap", r'"configMapRef": {"name": "([^"]+)"'),
        ("PersistentVolumeClaim", r'"claimName": "([^"]+)"'),
        ("ServiceAccount", r'"serviceAccountName": "([^"]+)"'),
        ("Service", r'"service": {"name": "([^"]+)"'),
        ("TriggerAuthentication", r'"authenticationRef": {"name": "([^"]+)"'),
    ):
        for found in re.findall(reference, text):
            assert (kind, found) in names, f"{kind}/{found}"


@pytest.mark.parametrize("folder", OVERLAYS)
def test_every_process_runs_and_the_settings_are_those_of_compose(folder: str) -> None:
    assert {one["metadata"]["name"] for one in objects(folder) if one["kind"] == "Deployment"} == set(PROCESSES)
    compose = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
    # Those with a value; the others are what a person may add.
    wanted = {name for name, value in compose["x-environment"].items() if value is not None}
    settings = named(folder, "ConfigMap", "settings")["data"]
    assert wanted <= set(settings)
    for name in ("AIRFLOW__CORE__EXECUTOR", "AIRFLOW__CORE__EXECUTION_API_SERVER_URL"):
        assert settings[name] == compose["x-environment"][name]
    for process in PROCESSES:
        (container,) = named(folder, "Deployment", process)["spec"]["template"]["spec"]["containers"]
        assert container["args"] == [process]


def test_the_overlays_differ_only_as_declared() -> None:
    declared = read_declarations(KUBERNETES / "differences.yaml")
    undeclared, unused = judge(overlay_differences({folder: list(objects(folder)) for folder in OVERLAYS}), declared)
    assert undeclared == []
    assert unused == []
    assert all(entry.reason for entry in declared)


def test_a_difference_that_nobody_declared_is_found() -> None:
    changed = {folder: json.loads(json.dumps(objects(folder))) for folder in OVERLAYS}
    for document in changed["overlays/staging"]:
        if document["kind"] == "Deployment" and document["metadata"]["name"] == "gateway":
            document["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"] = "1Gi"
    changed["overlays/production"].append({"kind": "ConfigMap", "metadata": {"name": "more"}})
    undeclared, _ = judge(overlay_differences(changed), read_declarations(KUBERNETES / "differences.yaml"))
    assert [(one.what, one.values) for one in undeclared] == [
        ("ConfigMap/more", ("-", "-", "yes")),
        (
            "Deployment/gateway spec.template.spec.containers.coinrequest.resources.limits.memory",
            ("512Mi", "1Gi", "512Mi"),
        ),
    ]


def test_staging_is_production_but_smaller() -> None:
    kinds = [{(one["kind"], one["metadata"]["name"]) for one in objects(folder)} for folder in OVERLAYS[1:]]
    hashes = re.compile(r"-[a-z0-9]{10}$")
    assert len({frozenset((kind, hashes.sub("", name)) for kind, name in found) for found in kinds}) == 1


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for folder in OVERLAYS[1:]:
        (image,) = yaml.safe_load((KUBERNETES / folder / "kustomization.yaml").read_text())["images"]
        assert image["newTag"] == project["version"]


def test_policies_are_kept(tmp_path: Path) -> None:
    # The others are these with other values.
    for folder in (OVERLAYS[0], OVERLAYS[2], *EXAMPLES[:2]):
        (tmp_path / f"{folder.replace('/', '-')}.yaml").write_text(yaml.safe_dump_all(objects(folder)))
    answer = subprocess.run(
        [*checkov(), "--framework", "kubernetes", "--skip-download", "--output", "json", "--directory", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    report = json.loads(answer.stdout)
    assert report["summary"]["passed"] > 2_000
    used = set()
    for check in report["results"]["failed_checks"]:
        policy, folder = check["check_id"], Path(check["file_path"]).stem.replace("-", "/", 1)
        exceptions = {
            exception
            for exception in SKIPPED_FOR
            if exception[:2] == (policy, folder) and check["resource"].startswith(exception[2])
        }
        assert exceptions or policy in SKIPPED_POLICIES, f"{folder}: {check['resource']}: {check['check_name']}"
        used |= exceptions or {policy}
    # A policy that is kept by now needs no exception any more.
    assert used == {*SKIPPED_POLICIES, *SKIPPED_FOR}
