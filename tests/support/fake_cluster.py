"""A cluster as `kubectl` shows it, as far as a release can tell."""

import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from release.commands import Finished

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REGISTRY = "registry.example.org/team"
NEW = f"{REGISTRY}/coinrequest:{COMMIT}"
OLD = f"{REGISTRY}/coinrequest:old"
RENDERED = """\
apiVersion: v1
kind: Namespace
metadata:
  labels:
    name: not-this-one
  name: coinrequest
---
apiVersion: v1
data:
  image: coinrequest-is-not-an-image
kind: ConfigMap
metadata:
  name: settings-abc
  namespace: coinrequest
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: agent
  namespace: coinrequest
spec:
  template:
    spec:
      containers:
      - image: coinrequest:0.1.0
        name: coinrequest
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: api-server
  namespace: coinrequest
spec:
  template:
    spec:
      containers:
      - args:
        - api-server
        image: registry.example.org/coinrequest:0.1.0
        name: coinrequest
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: postgres
  namespace: coinrequest
spec:
  template:
    spec:
      containers:
      - image: postgres:17-bookworm
---
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  namespace: coinrequest
spec:
  template:
    spec:
      containers:
      - image: coinrequest:0.1.0
"""


@dataclass
class Cluster:
    """Answers as `kubectl` would, and notes what was asked.

    Args:
        revisions: number, image and note of each revision of each Deployment, the current one last.
        broken: images whose pods do not become ready.
        failing: patterns of commands that fail, and what they write.
        failed_jobs: names of Jobs that fail.
        lock: who holds it; None: nobody.
    """

    revisions: dict[str, list[tuple[int, str, str]]] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    failing: dict[str, str] = field(default_factory=dict)
    failed_jobs: set[str] = field(default_factory=set)
    lock: str | None = None
    lines: list[str] = field(default_factory=list)
    applied: list[str] = field(default_factory=list)

    def execute(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        stdin: str | None,
        seconds: float | None,
        show: Callable[[str], None] | None,
    ) -> Finished:
        line = shlex.join(words).replace(COMMIT, "COMMIT")
        self.lines.append(line)
        for pattern, error in self.failing.items():
            if re.search(pattern, line):
                return Finished(1, error=error)
        if words[0] == "git":
            return Finished(0, COMMIT + "\n" if "HEAD" in words else "")
        if words[0] != "kubectl":
            return Finished(0)
        if words[1] == "kustomize":
            return Finished(0, RENDERED)
        if words[1] == "apply":
            return self._kubectl(list(words[1:]), stdin or "")
        assert tuple(words[1:3]) == ("--namespace", "coinrequest"), words
        return self._kubectl(list(words[3:]), stdin or "")

    def changes(self) -> list[str]:
        """What was run that changes something, without the namespace, and without accounts and times."""
        kept = [line for line in self.lines if not re.search(r" (kustomize|get|logs|rollout status) |^git ", line)]
        return [re.sub(r"--namespace coinrequest |'|, since .*| 2\d{3}-\S+", "", line) for line in kept]

    def images(self) -> dict[str, str]:
        """The image of each Deployment."""
        return {name: revisions[-1][1] for name, revisions in self.revisions.items()}

    def _kubectl(self, words: list[str], stdin: str) -> Finished:
        match words:
            case ["get", kind, *_] if kind in ("deployments", "replicasets"):
                return Finished(0, json.dumps({"items": self._workloads(kind)}))
            case ["get", "pods", *_]:
                return Finished(0, '{"items": []}')
            case ["get", "job", name, *_]:
                end = "Failed" if name in self.failed_jobs else "Complete"
                return Finished(0, json.dumps({"status": {"conditions": [{"type": end, "status": "True"}]}}))
            case ["get", "configmap", *_]:
                return Finished(0, self.lock or "")
            case ["create", "configmap", *_]:
                if self.lock is not None:
                    return Finished(1, error='configmaps "release-lock" already exists')
                self.lock = "this release"
            case ["delete", "configmap", *_]:
                self.lock = None
            case ["delete", "deployment", name]:
                del self.revisions[name]
            case ["apply", *_]:
                items = json.loads(stdin)["items"]
                self.applied.append(", ".join(one["kind"] for one in items))
                for one in items:
                    if one["kind"] == "Deployment":
                        self._set(one["metadata"]["name"], one["spec"]["template"]["spec"]["containers"][0]["image"])
            case ["annotate", "deployment", *names, "--overwrite", note]:
                for name in names:
                    number, image, _ = self.revisions[name][-1]
                    self.revisions[name][-1] = (number, image, note.partition("=")[2])
            case ["rollout", "undo", workload, option]:
                name, wanted = workload.partition("/")[2], int(option.partition("=")[2])
                number, image, note = next(one for one in self.revisions[name] if one[0] == wanted)
                self.revisions[name].remove((number, image, note))
                self.revisions[name].append((self.revisions[name][-1][0] + 1, image, note))
            case ["rollout", "status", workload, *_]:
                name = workload.partition("/")[2]
                if name in self.revisions and self.revisions[name][-1][1] in self.broken:
                    return Finished(1, error="error: timed out waiting for the condition")
            case ["logs", *_]:
                return Finished(0, "oh no\n")
        return Finished(0)

    def _set(self, name: str, image: str) -> None:
        known = self.revisions.setdefault(name, [])
        if not known or known[-1][1] != image:
            known.append((known[-1][0] + 1 if known else 1, image, known[-1][2] if known else ""))

    def _workloads(self, kind: str) -> list[dict[str, Any]]:
        found = []
        for name, revisions in self.revisions.items():
            for number, image, note in revisions if kind == "replicasets" else revisions[-1:]:
                metadata = {
                    "name": name if kind == "deployments" else f"{name}-{number}",
                    "ownerReferences": [{"name": name}],
                    "annotations": {
                        "deployment.kubernetes.io/revision": str(number),
                        "kubernetes.io/change-cause": note,
                    },
                }
                template = {"spec": {"containers": [{"image": image}]}}
                found.append({"metadata": metadata, "spec": {"template": template}, "status": {"readyReplicas": 1}})
        return found
