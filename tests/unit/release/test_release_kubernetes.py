"""What a release to a cluster does, in which order, and how it goes back."""

import getpass
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.fake_cluster import NEW, OLD, REGISTRY, RENDERED, Cluster

from release import cli, manifests

LOCK = f"kubectl create configmap release-lock --from-literal=holder={getpass.getuser()}"
UNLOCK = "kubectl delete configmap release-lock"
SMOKE_TEST = [
    "kubectl delete --ignore-not-found --filename -",
    "kubectl create --filename -",
    "kubectl delete --ignore-not-found --wait=false --filename -",
]
NOTE = "kubectl annotate deployment agent api-server --overwrite kubernetes.io/change-cause="
Release = Callable[..., int]


@pytest.fixture
def release(tmp_path: Path) -> Release:
    def run(cluster: Cluster, command: str, *words: str) -> int:
        options = ("--target", "kubernetes", "--overlay", "staging", "--state", str(tmp_path))
        return cli.main([command, *options, *words], execute=cluster.execute)

    return run


@pytest.fixture
def running() -> Cluster:
    kept = [(4, f"{REGISTRY}/coinrequest:older", "released older 2026-01-01T00:00:00+00:00")]
    now = (7, OLD, "released old 2026-02-01T00:00:00+00:00")
    return Cluster(revisions={"agent": [*kept, now], "api-server": [*kept, now]})


def test_the_steps_and_their_order(release: Release, running: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    assert release(running, "deploy", "--image", NEW) == 0
    assert running.changes() == [
        "kubectl apply --filename -",
        LOCK,
        "kubectl apply --filename -",
        "kubectl delete job migrate --ignore-not-found --wait",
        "kubectl apply --filename -",
        "kubectl apply --filename -",
        f"{NOTE}rolling out {REGISTRY}/coinrequest:COMMIT",
        *SMOKE_TEST,
        f"{NOTE}released {REGISTRY}/coinrequest:COMMIT",
        UNLOCK,
    ]
    assert running.applied == ["Namespace", "Namespace, ConfigMap, StatefulSet", "Job", "Deployment, Deployment"]
    waited = [line.split()[5] for line in running.lines if " rollout status " in line]
    assert waited == ["statefulset/postgres", "deployment/agent", "deployment/api-server"]
    assert set(running.images().values()) == {NEW}
    assert running.lock is None
    assert f"Released: {NEW} (before: {OLD})" in capsys.readouterr().out


def test_a_built_image_is_pushed_before(release: Release, running: Cluster) -> None:
    assert release(running, "deploy", "--registry", REGISTRY) == 0
    changes = running.changes()
    assert [line.split()[-1] for line in changes[2:4]] == ["check", "test"]
    assert changes[5] == f"docker push {REGISTRY}/coinrequest:COMMIT"
    assert set(running.images().values()) == {NEW}


def test_a_dry_run_needs_no_cluster(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster(failing={" get ": "The connection to the server was refused"})
    assert release(cluster, "deploy", "--image", NEW, "--dry-run") == 0
    assert cluster.changes() == []
    output = capsys.readouterr().out
    assert "apply --filename -  # 2 Deployment" in output
    assert "wait --for=condition=complete job/migrate" in output
    assert output.endswith("Dry run: nothing was done.\n")


def test_a_migration_that_fails_replaces_nothing(
    release: Release, running: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    running.failed_jobs.add("migrate")
    assert release(running, "deploy", "--image", NEW) == 1
    assert set(running.images().values()) == {OLD}
    assert running.lock is None
    output = capsys.readouterr().out
    assert "the job migrate did not succeed" in output
    assert "Nothing that runs was replaced." in output


@pytest.mark.parametrize("fault", ["pods", "smoke test"])
def test_a_version_that_does_not_work_is_undone(
    release: Release, running: Cluster, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if fault == "pods":
        running.broken.add(NEW)
    else:
        running.failing = {r"create --filename": "Error from server"}
    code = release(running, "deploy", "--image", NEW)
    # The smoke test of the version from before fails as well where no Job can be created.
    assert code == (1 if fault == "pods" else 3)
    undone = [line for line in running.changes() if "rollout undo" in line]
    assert undone == [
        "kubectl rollout undo deployment/agent --to-revision=7",
        "kubectl rollout undo deployment/api-server --to-revision=7",
    ]
    assert set(running.images().values()) == {OLD}
    assert running.lock is None
    output = capsys.readouterr().out
    assert f"==> roll back to {OLD}" in output
    if fault == "pods":
        assert "THE RELEASE FAILED: agent is not ready" in output
        logs = Path(output.rpartition("Logs of the services: ")[2].splitlines()[0])
        assert "oh no" in logs.read_text()


def test_what_did_not_change_is_not_undone(release: Release, running: Cluster) -> None:
    """The same image once more: `rollout undo` without a number would return to a version from long before."""
    running.failed_jobs.add("smoke-test")
    assert release(running, "deploy", "--image", OLD) == 3
    assert [line for line in running.changes() if "rollout undo" in line] == []
    assert set(running.images().values()) == {OLD}


def test_a_process_that_is_new_does_not_survive_a_roll_back(release: Release, running: Cluster) -> None:
    del running.revisions["agent"]
    running.broken.add(NEW)
    assert release(running, "deploy", "--image", NEW) == 1
    assert running.images() == {"api-server": OLD}


def test_two_releases_at_a_time_are_refused(
    release: Release, running: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    running.lock = "somebody, since yesterday"
    assert release(running, "deploy", "--image", NEW) == 2
    assert running.lock == "somebody, since yesterday"
    output = capsys.readouterr().out
    assert "Another release is under way: somebody, since yesterday." in output
    assert "kubectl --namespace coinrequest delete configmap release-lock" in output


def test_going_back_by_hand_skips_what_failed(release: Release, running: Cluster) -> None:
    running.broken.add(NEW)
    assert release(running, "deploy", "--image", NEW) == 1
    assert release(running, "rollback") == 0
    assert set(running.images().values()) == {f"{REGISTRY}/coinrequest:older"}
    assert release(running, "rollback") == 0
    assert set(running.images().values()) == {OLD}


def test_going_back_by_hand_needs_a_release_before(release: Release, capsys: pytest.CaptureFixture[str]) -> None:
    assert release(Cluster(revisions={"agent": [(1, OLD, "released")]}), "rollback") == 2
    assert "keeps no other release" in capsys.readouterr().out


def test_status_tells_what_runs_and_what_ran(
    release: Release, running: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    assert release(running, "status") == 0
    assert running.changes() == []
    output = capsys.readouterr().out
    assert f"api-server           {OLD}  released old" in output
    assert f"   4  {REGISTRY}/coinrequest:older" in output


def test_without_pyyaml_it_says_what_to_run(
    release: Release, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert release(Cluster(), "deploy", "--image", NEW) == 2
    assert "PyYAML is not installed" in capsys.readouterr().out


def test_an_overlay_has_to_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster()
    words = ["deploy", "--target", "kubernetes", "--state", str(tmp_path)]
    assert cli.main(words, execute=cluster.execute) == 2
    assert cluster.lines == []
    assert "--overlay development, staging or production" in capsys.readouterr().out


def test_the_image_is_put_in_whatever_the_overlay_calls_it() -> None:
    rendered = manifests.parse(RENDERED)
    found = rendered.with_image("coinrequest@sha256:" + "0" * 64)
    assert found.text().count('"image": "coinrequest@sha256:') == 3
    assert '"image": "postgres:17-bookworm"' in found.text()
    assert '"image": "coinrequest-is-not-an-image"' in found.text()
    assert "sha256" not in rendered.text()
    assert found.namespace == "coinrequest"
    assert found.names("Namespace") == ["coinrequest"]
    assert found.of("Job").summary() == "1 Job"
    assert found.without("Job", "Deployment").summary() == "1 Namespace, 1 ConfigMap, 1 StatefulSet"
