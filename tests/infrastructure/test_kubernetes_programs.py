"""The programs of `kubernetes/`: what puts the platform into minikube, and what makes the pod of a task."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.kubernetes_objects import KUBERNETES, PROCESSES, ROOT, kubectl, module, named, objects, of_kind
from support.kubernetes_schemas import check_schema

pytestmark = pytest.mark.containers

MINIKUBE = KUBERNETES / "minikube"

# Each program writes down how it was called, and what it was given. Two of them run side by side, joined by a pipe: a
# line is written at once.
PROGRAM = """#!/usr/bin/env bash
printf '%s\\n' "${0##*/} $*" >> "$CALLS/calls"
case "${0##*/} $*" in
    "docker image inspect"*) echo sha256:0123456789abcdef ;;
    "docker run"*) cat > /dev/null; echo '{"kind": "List"}' ;;
    "kubectl kustomize "*) exec "$REAL_KUBECTL" "$@" ;;
    *" get secret "*) [ -e "$CALLS/has-secrets" ] ;;
    *" get job migrate "*) cat "$CALLS/outcome" ;;
    *"--filename -"*) cat >> "$CALLS/given" ;;
esac
"""


@pytest.fixture
def world(tmp_path: Path) -> dict[str, str]:
    """An environment in which docker, minikube and kubectl only record their arguments."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("docker", "minikube", "kubectl"):
        (programs / name).write_text(PROGRAM)
        (programs / name).chmod(0o755)
    (tmp_path / "outcome").write_text("SuccessCriteriaMet Complete")
    return {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "CALLS": str(tmp_path),
        "REAL_KUBECTL": kubectl(),
        "HOME": str(tmp_path),
    }


def minikube(world: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([MINIKUBE, *arguments], env=world, capture_output=True, text=True, timeout=60, check=False)


def calls(world: dict[str, str]) -> list[str]:
    path = Path(world["CALLS"], "calls")
    return path.read_text().splitlines() if path.exists() else []


def index(lines: list[str], part: str) -> int:
    return next(number for number, line in enumerate(lines) if part in line)


def test_one_command_builds_loads_and_deploys(world: dict[str, str]) -> None:
    answer = minikube(world)
    assert answer.returncode == 0, answer.stderr
    done = calls(world)
    steps = [
        "docker build",
        "image load coinrequest:0123456789ab",
        "kubernetes/base/namespace.yaml",
        # Beside the program that makes them and writes into this one.
        "create --filename -",
        "notin (api-server,scheduler,dag-processor,triggerer,gateway,agent,migrate)",
        "rollout status statefulset/postgres",
        "delete job migrate",
        "--selector app.kubernetes.io/component=migrate",
        "get job migrate",
        "--selector app.kubernetes.io/component in (api-server,scheduler,dag-processor,triggerer,gateway,agent)",
        "rollout status deployment/agent",
    ]
    order = [index(done, step) for step in steps]
    assert order == sorted(order)
    assert index(done, "docker run") > index(done, "image load")
    given = Path(world["CALLS"], "given").read_text()
    assert "image: coinrequest:0123456789ab" in given
    assert "image: coinrequest:development" not in given
    assert "port-forward" in answer.stdout
    assert "sign in as admin" in answer.stdout


def test_no_process_starts_before_the_migration() -> None:
    """The steps go by this label; the first takes everything but the processes and the migration."""
    for kind in ("Deployment", "Job"):
        for document in of_kind("overlays/development", kind):
            assert document["metadata"]["labels"]["app.kubernetes.io/component"] in (*PROCESSES, "migrate")


def test_secrets_are_made_once_and_are_in_no_argument(world: dict[str, str]) -> None:
    Path(world["CALLS"], "has-secrets").touch()
    assert minikube(world).returncode == 0
    assert not [line for line in calls(world) if line.startswith("docker run") or " create " in line]
    text = MINIKUBE.read_text()
    assert "--from-literal" not in text
    assert "mktemp" not in text


def test_a_migration_that_fails_stops_it(world: dict[str, str]) -> None:
    Path(world["CALLS"], "outcome").write_text("FailureTarget Failed")
    answer = minikube(world)
    assert answer.returncode == 1
    assert "the migration did not end well" in answer.stderr
    assert not [line for line in calls(world) if "rollout status deployment" in line]


def test_a_dry_run_does_nothing(world: dict[str, str]) -> None:
    answer = minikube(world, "--dry-run")
    assert answer.returncode == 0, answer.stderr
    assert calls(world) == []
    assert "+ docker build" in answer.stdout
    assert "kubectl apply --selector app.kubernetes.io/component=migrate" in answer.stdout


@pytest.mark.parametrize("missing", ["docker", "minikube", "kubectl"])
def test_a_missing_program_is_named_with_where_to_get_it(world: dict[str, str], missing: str) -> None:
    own = Path(world["CALLS"], "programs")
    (own / missing).unlink()
    for name in ("bash", "dirname", "cat"):
        (own / name).symlink_to(f"/bin/{name}" if Path(f"/bin/{name}").exists() else f"/usr/bin/{name}")
    answer = minikube({**world, "PATH": str(own)})
    assert answer.returncode == 1
    assert f"error: {missing} is missing: https://" in answer.stderr


def test_unknown_arguments_are_refused(world: dict[str, str]) -> None:
    assert minikube(world, "--nonsense").returncode == 2
    assert "has no kustomization.yaml" in minikube(world, "--overlay", "nowhere").stderr
    assert "Usage:" in minikube(world, "--help").stdout
    assert calls(world) == []


# -- the pod of a task ---------------------------------------------------------------------------------------


@pytest.fixture
def pod() -> dict[str, Any]:
    agent = named("examples/isolated-tasks", "Deployment", "agent")
    template: dict[str, Any] = module("components/isolated-tasks/pod_template.py").pod_template(agent)
    return template


def test_the_pod_of_a_task_is_an_agent_that_runs_one_task(pod: dict[str, Any]) -> None:
    check_schema(pod, "1.37")
    agent = named("examples/isolated-tasks", "Deployment", "agent")
    assert agent["spec"]["replicas"] == 0
    (container,) = pod["spec"]["containers"]
    (of_agent,) = agent["spec"]["template"]["spec"]["containers"]
    # The executor adds its arguments, which the image's entry point executes as they are.
    assert container["name"] == "base"
    assert not {"args", "command"} & set(container)
    for same in ("image", "envFrom", "resources", "securityContext", "volumeMounts"):
        assert container[same] == of_agent[same], same
    assert pod["spec"]["restartPolicy"] == "Never"
    assert pod["spec"]["automountServiceAccountToken"] is False
    # Network policies go by the labels, the cluster's own scaling by the annotation.
    for same in ("labels", "annotations"):
        assert pod["metadata"][same] == agent["spec"]["template"]["metadata"][same]


def test_the_scheduler_finds_the_template_and_may_make_pods_of_it() -> None:
    folder = "examples/isolated-tasks"
    settings = named(folder, "ConfigMap", "settings")["data"]
    assert settings["AIRFLOW__CORE__EXECUTOR"] == "KubernetesExecutor"
    scheduler = named(folder, "Deployment", "scheduler")["spec"]["template"]["spec"]
    (init,) = scheduler["initContainers"]
    file = init["command"][-1]
    assert settings["AIRFLOW__KUBERNETES_EXECUTOR__POD_TEMPLATE_FILE"] == file
    (container,) = scheduler["containers"]
    assert str(Path(file).parent) in {mount["mountPath"] for mount in container["volumeMounts"]}
    (rules,) = [one["rules"] for one in objects(folder) if one["kind"] == "Role"]
    verbs = {resource: set(rule["verbs"]) for rule in rules for resource in rule["resources"]}
    # What the executor calls: create, list and watch, patch (to adopt a pod), delete.
    assert verbs["pods"] == {"create", "delete", "get", "list", "patch", "watch"}
    assert verbs["deployments"] == {"get"}
    script = named(folder, "ConfigMap", "pod-template")["data"]["pod_template.py"]
    assert script == (KUBERNETES / "components" / "isolated-tasks" / "pod_template.py").read_text()


def test_the_template_is_read_from_the_cluster(
    pod: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = module("components/isolated-tasks/pod_template.py")
    (tmp_path / "namespace").write_text("coinrequest")
    (tmp_path / "token").write_text("a-token")
    monkeypatch.setattr(script, "_ACCOUNT", tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setattr(script.ssl, "create_default_context", lambda cafile: cafile)
    asked = []

    class Answer:
        def __enter__(self) -> "Answer":
            return self

        def __exit__(self, *error: object) -> None:
            pass

        def read(self) -> str:
            return json.dumps(named("examples/isolated-tasks", "Deployment", "agent"))

    def urlopen(request: Any, timeout: float, context: str) -> Answer:
        asked.append((request.full_url, request.get_header("Authorization"), context))
        return Answer()

    monkeypatch.setattr(script.urllib.request, "urlopen", urlopen)
    assert script.pod_template(script.read_agent()) == pod
    url = "https://10.96.0.1:443/apis/apps/v1/namespaces/coinrequest/deployments/agent"
    assert asked == [(url, "Bearer a-token", str(tmp_path / "ca.crt"))]


# -- containers of jobs --------------------------------------------------------------------------------------


def test_agents_may_run_containers_in_the_namespace_for_that() -> None:
    folder = "examples/container-run"
    settings = named(folder, "ConfigMap", "settings")["data"]
    assert settings["COINREQUEST_CONTAINER_RUNTIME"] == "kubernetes"
    namespace = settings["COINREQUEST_CONTAINER_NAMESPACE"]
    role = named(folder, "Role", "container-run")
    assert role["metadata"]["namespace"] == namespace
    # What coinrequest.actions.containers.kubernetes_runtime calls.
    verbs = {resource: set(rule["verbs"]) for rule in role["rules"] for resource in rule["resources"]}
    assert verbs == {"pods": {"create", "get", "list", "delete"}, "pods/log": {"get"}}
    (subject,) = named(folder, "RoleBinding", "container-run")["subjects"]
    assert (subject["name"], subject["namespace"]) == ("agent", "coinrequest")


@pytest.mark.parametrize("component", sorted(path.name for path in (KUBERNETES / "components").iterdir()))
def test_every_component_is_used_somewhere(component: str) -> None:
    used = [
        path
        for path in KUBERNETES.rglob("kustomization.yaml")
        for one in yaml.safe_load(path.read_text()).get("components", [])
        if Path(one).name == component
    ]
    assert used
    assert (ROOT / "docs" / "how-to" / "kubernetes.md").read_text().count(component)
