"""The rendered objects of `kubernetes/`, for the tests of them."""

import functools
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "kubernetes"
OVERLAYS = ("overlays/development", "overlays/staging", "overlays/production")
EXAMPLES = ("examples/isolated-tasks", "examples/container-run", "examples/installation")
EVERYTHING = OVERLAYS + EXAMPLES
PROCESSES = ("agent", "api-server", "dag-processor", "gateway", "scheduler", "triggerer")
SERVERS = ("postgres", "rabbitmq", "redis")

Manifest = dict[str, Any]


def module(path: str) -> ModuleType:
    """Import a script of `kubernetes/`."""
    file = KUBERNETES / path
    spec = importlib.util.spec_from_file_location(f"kubernetes_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    # Where a dataclass looks for the types that it names.
    sys.modules[found.__name__] = found
    spec.loader.exec_module(found)
    return found


def kubectl() -> str:
    """Return the program, which renders without a cluster; skip the test where it is not installed."""
    beside = Path(sys.executable).with_name("kubectl")
    found = str(beside) if beside.exists() else shutil.which("kubectl")
    if found is None:
        pytest.skip("kubectl is not installed: https://kubernetes.io/docs/tasks/tools/")
    return found


@functools.cache
def objects(folder: str) -> tuple[Manifest, ...]:
    """Return what a folder is rendered to."""
    answer = subprocess.run([kubectl(), "kustomize", KUBERNETES / folder], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return tuple(document for document in yaml.safe_load_all(answer.stdout) if document)


def named(folder: str, kind: str, name: str) -> Manifest:
    """Return one object; generated ones by their name without the hash."""
    for document in objects(folder):
        found = document["metadata"]["name"]
        if document["kind"] == kind and (found == name or found.rpartition("-")[0] == name):
            return document
    raise AssertionError(f"{folder} has no {kind}/{name}")


def of_kind(folder: str, kind: str) -> list[Manifest]:
    """Return all objects of a kind."""
    return [document for document in objects(folder) if document["kind"] == kind]


def workloads(folder: str) -> Iterator[tuple[str, Manifest]]:
    """Yield name and pod template of everything that runs."""
    for document in objects(folder):
        if document["kind"] in ("Deployment", "StatefulSet", "Job"):
            yield document["metadata"]["name"], document["spec"]["template"]


def containers(folder: str) -> Iterator[tuple[str, Manifest]]:
    """Yield each container, that of the initialisation as well, with the name of its workload."""
    for name, template in workloads(folder):
        for container in [*template["spec"].get("initContainers", []), *template["spec"]["containers"]]:
            yield name, container
