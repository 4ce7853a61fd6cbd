"""What a release makes of the real overlays, and of the smoke test in a cluster."""

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from support.kubernetes_objects import EVERYTHING, KUBERNETES, PROCESSES, kubectl, objects

from release import cli, manifests
from release.commands import Commands
from release.output import Output

pytestmark = pytest.mark.containers

IMAGE = "registry.example.org/team/coinrequest@sha256:" + "0123456789abcdef" * 4


def rendered(folder: str) -> str:
    return Commands(Output(io.StringIO())).read(kubectl(), "kustomize", str(KUBERNETES / folder))


def images(documents: list[Any]) -> set[str]:
    """Every image of the platform in some objects."""
    found = set()
    stack: list[Any] = list(documents)
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            stack += one.values()
            if isinstance(one.get("image"), str) and "coinrequest" in one["image"]:
                found.add(one["image"])
        elif isinstance(one, list):
            stack += one
    return found


def without_images(value: Any) -> Any:
    """The objects without the names of images."""
    if isinstance(value, dict):
        return {key: without_images(inner) for key, inner in value.items() if key != "image"}
    return [without_images(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("folder", EVERYTHING)
def test_a_release_changes_nothing_of_an_overlay_but_the_image(folder: str) -> None:
    found = manifests.parse(rendered(folder)).with_image(IMAGE)
    applied = json.loads(found.text())["items"]
    assert images(applied) == {IMAGE}
    assert without_images(applied) == without_images(list(objects(folder)))
    assert found.namespace == "coinrequest"
    assert found.names("Job") == ["migrate"]
    assert set(found.names("Deployment")) <= set(PROCESSES)
    assert json.loads(found.of("Deployment").text())["items"] == [one for one in applied if one["kind"] == "Deployment"]


@pytest.mark.parametrize("overlay", ["development", "staging", "production", "kubernetes/examples/installation"])
def test_a_dry_run_names_every_step(
    overlay: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No cluster is there: `kubectl` renders, and all that it is asked about a cluster fails."""
    monkeypatch.setenv("PATH", str(Path(kubectl()).parent), prepend=os.pathsep)
    monkeypatch.setenv("KUBECONFIG", os.devnull)
    words = ["--target", "kubernetes", "--overlay", overlay, "--image", IMAGE, "--state", str(tmp_path)]
    assert cli.main(["deploy", *words, "--dry-run"]) == 0
    output = capsys.readouterr().out
    steps = ["create configmap release-lock", "delete job migrate", "job/migrate", "rollout status deployment/agent"]
    places = [output.index(step) for step in [*steps, "job/smoke-test", "delete configmap release-lock"]]
    assert places == sorted(places)
    assert list(tmp_path.iterdir()) == []


def smoke_test() -> list[dict[str, Any]]:
    """The objects as a release creates them."""
    return list(manifests.parse((KUBERNETES / "smoke-test.yaml").read_text()).with_image(IMAGE).objects)


def test_the_smoke_test_is_what_a_strict_cluster_takes() -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    for document in smoke_test():
        validate.validate(document, "1.31", strict=True)
        # kubectl puts it into the namespace of the platform.
        assert "namespace" not in document["metadata"]
    assert images(smoke_test()) == {IMAGE}


def test_the_smoke_test_has_no_more_rights_than_a_process() -> None:
    [job] = [one for one in smoke_test() if one["kind"] == "Job"]
    pod = job["spec"]["template"]["spec"]
    [agent] = [
        one
        for one in objects("overlays/production")
        if one["kind"] == "Deployment" and one["metadata"]["name"] == "agent"
    ]
    like = agent["spec"]["template"]["spec"]
    for key in ("automountServiceAccountToken", "enableServiceLinks"):
        assert pod[key] == like[key], key
    [container], [other] = pod["containers"], like["containers"]
    assert container["securityContext"] == other["securityContext"]
    assert pod["securityContext"].items() <= like["securityContext"].items()
    assert {one["mountPath"] for one in container["volumeMounts"]} <= {
        one["mountPath"] for one in other["volumeMounts"]
    }


def test_the_smoke_test_reaches_the_web_server_and_nothing_else() -> None:
    items = smoke_test()
    out, into = [one["spec"] for one in items if one["kind"] == "NetworkPolicy"]
    labels = next(one for one in items if one["kind"] == "Job")["spec"]["template"]["metadata"]["labels"]
    web = {"app.kubernetes.io/component": "api-server"}
    assert out["podSelector"] == {"matchLabels": labels}
    assert out["egress"] == [
        {"to": [{"podSelector": {"matchLabels": web}}], "ports": [{"protocol": "TCP", "port": 8080}]}
    ]
    assert into["podSelector"] == {"matchLabels": web}
    assert into["ingress"][0]["from"] == [{"podSelector": {"matchLabels": labels}}]
