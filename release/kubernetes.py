"""Releases to a cluster: the namespace of one overlay of `kubernetes/`."""

import getpass
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from release import manifests
from release.commands import CommandFailed, Commands
from release.errors import Failed, Refused, ReleaseError
from release.image import is_platform
from release.polling import poll
from release.source import ROOT
from release.state import RELEASED, SUCCESSFUL, now

_CAUSE = "kubernetes.io/change-cause"
_REVISION = "deployment.kubernetes.io/revision"
_LOCK = "release-lock"
_SMOKE_TEST = ROOT / "kubernetes" / "smoke-test.yaml"
_MIGRATION_TIMEOUT = 900.0
_SMOKE_TEST_TIMEOUT = 300.0
# A container that waits for one of these reasons will not start by itself.
_HOPELESS = {
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImageNeverPull",
    "ImagePullBackOff",
    "InvalidImageName",
}


@dataclass(frozen=True)
class _Revision:
    """One revision of a Deployment, which the cluster keeps."""

    deployment: str
    number: int
    image: str
    cause: str


@dataclass(frozen=True)
class _JobState:
    """Whether a Job succeeded (None: it still runs), and why its pods do not start."""

    succeeded: bool | None
    problems: list[str] = field(default_factory=list)


class KubernetesTarget:
    """The namespace of an overlay in a cluster; see `release.target.Target`.

    The history is what the cluster itself keeps: the revisions of its Deployments.

    Args:
        commands: runs the programs.
        overlay: its name, or a folder with a `kustomization.yaml`.
        context: the context of kubectl; None: the current one.
        timeout: seconds in which the services have to become ready.
    """

    def __init__(self, commands: Commands, overlay: str, context: str | None = None, timeout: float = 600.0) -> None:
        known = ROOT / "kubernetes" / "overlays" / overlay
        folder = known if known.is_dir() else ROOT / overlay
        self._commands = commands
        self._kubectl = ("kubectl", *(("--context", context) if context else ()))
        self._timeout = timeout
        try:
            rendered = commands.read("kubectl", "kustomize", str(folder), needed=True)
        except CommandFailed as error:
            raise Refused(f"The overlay cannot be rendered: {error}") from error
        self._manifests = manifests.parse(rendered)
        self._namespace = self._manifests.namespace
        self._before: dict[str, _Revision] = {}
        self.name = f"overlay {overlay} (namespace {self._namespace}{f', context {context}' if context else ''})"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Block all other releases to this cluster: hold a ConfigMap, which can be created only once.

        Raises:
            Refused: it exists.
        """
        self._apply(self._manifests.of("Namespace"))
        try:
            self._run("create", "configmap", _LOCK, f"--from-literal=holder={getpass.getuser()}, since {now()}")
        except CommandFailed as error:
            if "exists" not in str(error):
                raise
            held = self._read("get", "configmap", _LOCK, "--output", "jsonpath={.data.holder}")
            line = " ".join(self._argv("delete", "configmap", _LOCK))
            raise Refused(f"Another release is under way: {held}. If it was killed: {line}") from None
        try:
            yield
        finally:
            try:
                self._run("delete", "configmap", _LOCK)
            except ReleaseError as error:
                self._commands.output.line(f"    The lock is still there: {error}")

    def remember(self) -> str | None:
        """Note the revision of each Deployment of the platform."""
        self._before = {found.deployment: found for found in self._deployments()}
        return _most_common_image(self._before)

    def fetch(self, image: str) -> None:
        """Do nothing: the nodes fetch it themselves."""

    def migrate(self, image: str) -> None:
        """Apply everything but the Deployments, wait for the servers inside, run the Job `migrate` and wait for it."""
        found = self._manifests.with_image(image)
        self._apply(found.without("Deployment", "Job"))
        for name in found.names("StatefulSet"):
            self._await_roll_out("statefulset", name)
        self._run("delete", "job", "migrate", "--ignore-not-found", "--wait")
        self._apply(found.of("Job"))
        self._await_job("migrate", _MIGRATION_TIMEOUT)

    def roll_out(self, image: str) -> None:
        """Apply the Deployments, which replace their pods one by one."""
        found = self._manifests.with_image(image)
        self._apply(found.of("Deployment"))
        self._annotate(found.names("Deployment"), f"rolling out {image}")
        for name in found.names("Deployment"):
            self._await_roll_out("deployment", name)

    def smoke_test(self, image: str) -> None:
        """Check that every process is ready with this image, then run `demo` in the cluster."""
        self._check(image)
        objects = manifests.parse(_SMOKE_TEST.read_text(encoding="utf-8")).with_image(image)
        (job,) = objects.names("Job")

        def run(*words: str) -> None:
            self._commands.run(*self._argv(*words, "--filename", "-"), stdin=objects.text(), comment=objects.summary())

        run("delete", "--ignore-not-found")
        run("create")
        try:
            self._await_job(job, _SMOKE_TEST_TIMEOUT)
        finally:
            run("delete", "--ignore-not-found", "--wait=false")

    def roll_back(self) -> None:
        """Undo every Deployment to its previous revision; remove the new ones."""
        numbers = {found.deployment: found.number for found in self._deployments()}
        for name, number in numbers.items():
            if name not in self._before:
                self._run("delete", "deployment", name)
            elif number != self._before[name].number or self._commands.dry_run:
                self._undo(name, self._before[name].number)
        for name in self._before:
            self._await_roll_out("deployment", name)

    def previous(self) -> str:
        """Return the image of the previous release, which the cluster keeps with its revisions."""
        current = _most_common_image(self._before)
        found = [one for one in self._revisions() if one.cause.startswith(RELEASED) and one.image != current]
        if not found:
            raise Refused(f"The cluster keeps no other release of {self.name}. Name one: deploy --image NAME")
        # The note ends with the time, and times in ISO 8601 sort as text.
        return max(found, key=lambda one: one.cause.rpartition(" ")[2]).image

    def return_to(self, image: str) -> None:
        """Undo every Deployment to its last revision with this image."""
        kept = sorted(self._revisions(), key=lambda one: one.number)
        numbers = {one.deployment: one.number for one in kept if one.image == image}
        for name, number in numbers.items():
            self._undo(name, number)
        for name in numbers:
            self._await_roll_out("deployment", name)

    def record(self, image: str, outcome: str) -> None:
        """Note a release on the Deployments. After a failure the revisions keep their note "rolling out"."""
        if outcome in SUCCESSFUL:
            self._annotate([found.deployment for found in self._deployments()], f"{RELEASED} {image} {now()}")

    def save_logs(self, path: Path) -> None:
        """Write the state of the pods, the events and the last log lines of every process to a file."""
        questions = [("get", "pods", "--output", "wide"), ("get", "events", "--sort-by=.lastTimestamp")]
        questions += [
            ("logs", f"deployment/{found.deployment}", "--all-containers", "--all-pods", "--prefix", "--tail=300")
            for found in self._deployments()
        ]
        parts = []
        for question in questions:
            try:
                parts.append(f"$ kubectl {' '.join(question)}\n{self._read(*question)}")
            except ReleaseError as error:
                parts.append(f"{error}\n")
        self._commands.save(path, "\n".join(parts))

    def status(self) -> list[str]:
        """Return what runs now, and the revisions that the cluster keeps of the web server."""
        running = self._deployments()
        kept = sorted((one for one in self._revisions() if one.deployment == "api-server"), key=lambda one: -one.number)
        return [
            f"{self.name}:" if running else f"{self.name}: nothing runs",
            *(f"  {one.deployment:<20} {one.image}  {one.cause}" for one in running),
            "Revisions of the web server, the newest first:",
            *(f"  {one.number:>4}  {one.image}  {one.cause}" for one in kept),
        ]

    def _argv(self, *words: str) -> list[str]:
        return [*self._kubectl, "--namespace", self._namespace, *words]

    def _run(self, *words: str) -> None:
        self._commands.run(*self._argv(*words))

    def _read(self, *words: str) -> str:
        return self._commands.read(*self._argv(*words))

    def _list(self, kind: str, *words: str) -> list[dict[str, Any]]:
        found: dict[str, Any] = json.loads(self._read("get", kind, *words, "--output", "json") or "{}")
        return list(found.get("items", []))

    def _apply(self, objects: manifests.Manifests) -> None:
        if objects.objects:
            # Without --namespace: kubectl would refuse the objects that name another one.
            argv = (*self._kubectl, "apply", "--filename", "-")
            self._commands.run(*argv, stdin=objects.text(), comment=objects.summary())

    def _annotate(self, deployments: list[str], cause: str) -> None:
        if deployments:
            self._run("annotate", "deployment", *deployments, "--overwrite", f"{_CAUSE}={cause}")

    def _undo(self, deployment: str, revision: int) -> None:
        self._run("rollout", "undo", f"deployment/{deployment}", f"--to-revision={revision}")

    def _deployments(self) -> list[_Revision]:
        found = (_revision(one["metadata"]["name"], one) for one in self._list("deployments"))
        return [one for one in found if one is not None]

    def _revisions(self) -> list[_Revision]:
        found = (
            _revision(owner["name"], one)
            for one in self._list("replicasets")
            for owner in one["metadata"].get("ownerReferences", [])
        )
        return [one for one in found if one is not None]

    def _await_roll_out(self, kind: str, name: str) -> None:
        try:
            self._run("rollout", "status", f"{kind}/{name}", f"--timeout={self._timeout:.0f}s")
        except CommandFailed as error:
            problems = self._problems(f"app.kubernetes.io/component={name}")
            raise Failed("; ".join([f"{name} is not ready", *problems, str(error)])) from error

    def _await_job(self, name: str, timeout: float) -> None:
        """Wait until a Job ends. `kubectl wait` would wait for a failed one until its time is up."""
        if self._commands.dry_run:
            self._run("wait", "--for=condition=complete", f"job/{name}", f"--timeout={timeout:.0f}s")
            return

        def read() -> _JobState:
            job = json.loads(self._read("get", "job", name, "--output", "json"))
            ends = {one["type"] for one in job.get("status", {}).get("conditions", []) if one["status"] == "True"}
            succeeded = "Complete" in ends if {"Complete", "Failed"} & ends else None
            return _JobState(succeeded, self._problems(f"job-name={name}"))

        job = poll(read, lambda job: job.succeeded is not None or bool(job.problems), timeout, 2.0)
        try:
            self._run("logs", f"job/{name}", "--tail=40")
        except ReleaseError as error:
            self._commands.output.detail(str(error))
        if not job.succeeded:
            raise Failed("; ".join([f"the job {name} did not succeed", *job.problems]))

    def _problems(self, selector: str) -> list[str]:
        """Return the containers that will not start by themselves, with the reasons."""
        found = set()
        for pod in self._list("pods", "--selector", selector):
            for container in pod.get("status", {}).get("containerStatuses", []):
                waiting = container.get("state", {}).get("waiting", {})
                if waiting.get("reason") in _HOPELESS:
                    found.add(f"{pod['metadata']['name']}: {waiting['reason']}: {waiting.get('message', '')}")
        return sorted(found)

    def _check(self, image: str) -> None:
        if self._commands.dry_run:
            return
        found = self._list("deployments")
        wrong = [
            f"{one['metadata']['name']} has {_image(one)}, {one['status'].get('readyReplicas', 0)} ready"
            for one in found
            if _image(one) is not None and (_image(one) != image or not _ready(one))
        ]
        if wrong or not found:
            raise Failed(f"not every process is ready with {image}: {'; '.join(wrong) or 'none runs'}")


def _most_common_image(revisions: Mapping[str, _Revision]) -> str | None:
    found = Counter(one.image for one in revisions.values()).most_common(1)
    return found[0][0] if found else None


def _image(workload: Mapping[str, Any]) -> str | None:
    """Return the platform's image in a Deployment or ReplicaSet; None: it is not the platform's."""
    images = [container["image"] for container in workload["spec"]["template"]["spec"]["containers"]]
    return next(filter(is_platform, images), None)


def _revision(deployment: str, workload: Mapping[str, Any]) -> _Revision | None:
    image = _image(workload)
    if image is None:
        return None
    annotations = workload["metadata"].get("annotations", {})
    return _Revision(deployment, int(annotations.get(_REVISION, 0)), image, annotations.get(_CAUSE, ""))


def _ready(deployment: Mapping[str, Any]) -> bool:
    wanted = deployment["spec"].get("replicas", 1)
    return bool(deployment["status"].get("readyReplicas", 0) >= wanted)
