"""`container.run` on a real Docker engine, with an image built from a few local programs: nothing is pulled."""

import gc
import io
import os
import re
import shutil
import signal
import subprocess
import tarfile
import threading
import time
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coinrequest.actions.container_run import (
    ContainerFailed,
    ContainerRefused,
    ContainerRun,
    ContainerRunInputs,
    ContainerRunResult,
    ContainerTimeout,
    ContainerUnavailable,
)
from coinrequest.actions.containers import docker_engine
from coinrequest.actions.containers.runtime import labels, new_name

pytestmark = pytest.mark.containers

PROGRAMS = ("sh", "cat", "id", "sleep", "tail", "touch", "yes", "head", "ls")
REPOSITORY = "coinrequest-test"


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    # Not "docker", which is also a folder of this project.
    docker = pytest.importorskip("docker.client", reason="the docker extra is not installed")
    client, problem = None, ""
    with warnings.catch_warnings():
        # Where nobody listens, the library leaves its socket to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            client = docker.from_env(timeout=30)
        except Exception as error:
            problem = str(error)
        gc.collect()
    if client is None:
        pytest.skip(f"no Docker engine answers, so container.run was NOT tried for real: {problem}")
    yield client
    client.close()


@pytest.fixture(scope="module")
def image(engine: Any) -> Iterator[str]:
    """A throwaway image with a shell and a few programs."""
    tag = uuid.uuid4().hex[:12]
    engine.api.import_image_from_data(_root_file_system(), repository=REPOSITORY, tag=tag)
    yield f"{REPOSITORY}:{tag}"
    engine.images.remove(f"{REPOSITORY}:{tag}", force=True)


def _root_file_system() -> bytes:
    found = [shutil.which(program) for program in PROGRAMS]
    if None in found:
        pytest.skip(f"this machine lacks one of {', '.join(PROGRAMS)} for the image of the test")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", dereference=True) as archive:
        libraries: set[str] = set()
        for program in filter(None, found):
            archive.add(program, f"bin/{Path(program).name}")
            listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
            libraries |= set(re.findall(r"(/\S+) \(0x", listed))
        for library in libraries:
            archive.add(library, library.lstrip("/"))
        for folder in ("tmp", "proc", "sys", "dev", "etc"):
            archive.addfile(_folder(folder))
    return buffer.getvalue()


def _folder(name: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
    return entry


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [name for name in os.environ if name.startswith("COINREQUEST_CONTAINER_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("COINREQUEST_CONTAINER_IMAGES", f"{REPOSITORY}:*")


@pytest.fixture(autouse=True)
def nothing_left(engine: Any) -> Iterator[None]:
    before = {container.id for container in engine.containers.list(all=True)}
    yield
    assert {container.id for container in engine.containers.list(all=True)} - before == set()


def run(image: str, *command: str, **inputs: Any) -> ContainerRunResult:
    document = {"image": image, "command": command, **inputs}
    return ContainerRun().run(ContainerRunInputs.model_validate(document))


def shell(image: str, script: str, **inputs: Any) -> ContainerRunResult:
    return run(image, "/bin/sh", "-c", script, **inputs)


def test_a_command_runs_and_its_last_line_is_the_result(image: str) -> None:
    result = shell(
        image, """echo "$GREETING"; echo warning >&2; echo '{"rows": [1, 2]}'""", environment={"GREETING": "hi"}
    )
    assert result.exit_code == 0
    assert set(result.output.splitlines()) == {"hi", "warning", '{"rows": [1, 2]}'}
    assert result.model_dump(mode="json")["json"] == {"rows": [1, 2]}


def test_no_shell_reads_the_command(image: str) -> None:
    assert (
        run(image, "/bin/head", "-c", "0", "/bin/$(id)", expected_exit_codes=[1])
        .output.strip()
        .endswith("No such file or directory")
    )


def test_an_exit_code_that_is_not_expected_fails_with_the_output(image: str) -> None:
    with pytest.raises(ContainerFailed, match="exited with code 3; the end of its output:\noops") as caught:
        shell(image, "echo oops; exit 3")
    assert caught.value.exit_code == 3


def test_the_container_has_minimal_rights(image: str) -> None:
    script = """
        id -u; id -g
        cat /proc/self/status
        touch /file 2>&1; touch /tmp/file && echo written
        cat /proc/net/dev; ls /var/run/docker.sock 2>&1
        (echo 'echo ran' > /tmp/program; chmod +x /tmp/program; /tmp/program) 2>&1
        ls /dev
    """
    output = shell(image, script).output
    assert output.startswith("65534\n65534\n")
    assert re.findall(r"Cap(?:Inh|Prm|Eff|Bnd|Amb):\s*(\w+)", output) == ["0" * 16] * 5
    assert re.search(r"NoNewPrivs:\s*1\b", output)
    assert re.search(r"Seccomp:\s*2\b", output)
    assert output.count("Read-only file system") == 1
    assert "written" in output
    assert re.findall(r"^\s*(\w+):.*$", output.partition("Inter-|")[2], re.MULTILINE)[:1] == ["lo"]
    assert "eth0" not in output
    assert "ran\n" not in output
    assert not {"sda", "kmsg", "mem"} & set(output.split())


def test_the_network_is_available_only_if_the_administrator_allows_it(
    image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ContainerRefused, match="COINREQUEST_CONTAINER_NETWORK"):
        shell(image, "cat /proc/net/dev", network=True)
    monkeypatch.setenv("COINREQUEST_CONTAINER_NETWORK", "bridge")
    assert "eth0" in shell(image, "cat /proc/net/dev", network=True).output
    assert "eth0" not in shell(image, "cat /proc/net/dev").output


def test_the_time_limit_kills_it(image: str) -> None:
    with pytest.raises(ContainerTimeout, match="ran longer than 1 s; the end of its output:\nbegun"):
        shell(image, "trap '' TERM; echo begun; sleep 60", timeout=1)


def test_the_memory_limit_kills_it(image: str) -> None:
    with pytest.raises(ContainerFailed, match="ran out of memory; its limit is 32 MiB"):
        run(image, "/bin/tail", "/dev/zero", memory=32)


def test_the_report_that_memory_ran_out_may_come_after_the_end(image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker 20.10 does not write it into the state then."""
    ended = docker_engine._ended

    def without_the_word(container: Any) -> Any:
        state = ended(container)
        return state and {**state, "OOMKilled": False}

    monkeypatch.setattr(docker_engine, "_ended", without_the_word)
    with pytest.raises(ContainerFailed, match="ran out of memory; its limit is 32 MiB"):
        run(image, "/bin/tail", "/dev/zero", memory=32)
    with pytest.raises(ContainerFailed, match="exited with code 137"):
        shell(image, "exit 137")


def test_the_number_of_processes_is_limited(image: str) -> None:
    script = "i=0; while [ $i -lt 400 ]; do sleep 5 & i=$((i+1)); done; echo all"
    with pytest.raises(ContainerFailed, match="fork"):
        shell(image, script)


def test_endless_output_is_cut_and_does_not_fill_the_disk(image: str) -> None:
    result = shell(image, "yes 0123456789 | head -c 20000000; echo end")
    assert result.truncated
    assert len(result.output) == 65_536
    assert result.output.endswith("end\n")


def test_a_program_that_closes_its_output_is_waited_for(image: str) -> None:
    started = time.monotonic()
    shell(image, "exec >&- 2>&- <&-; sleep 1")
    assert time.monotonic() - started >= 1


def test_only_allowed_images_are_used(engine: Any, image: str) -> None:
    other = f"other/{image}"
    engine.images.get(image).tag(*other.rsplit(":", 1))
    try:
        for name in (other, f"localhost/{image}", engine.images.get(image).id, engine.images.get(image).short_id[7:]):
            with pytest.raises((ContainerRefused, ValueError)):
                shell(name, "echo a")
    finally:
        engine.images.remove(other)


@pytest.mark.parametrize(("command", "name"), [(("/bin/nothing",), ""), (("/bin/sh",), f"{REPOSITORY}:is-not-there")])
def test_errors_of_the_engine_are_reported(image: str, command: tuple[str, ...], name: str) -> None:
    with pytest.raises(ContainerUnavailable, match="the Docker engine: "):
        run(name or image, *command)


def test_stop_from_a_signal_handler_removes_the_container(engine: Any, image: str) -> None:
    action = ContainerRun()

    def interrupt() -> None:
        while not engine.containers.list(filters={"ancestor": image, "status": "running"}):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, lambda _number, _frame: action.stop())
    watcher = threading.Thread(target=interrupt)
    watcher.start()
    try:
        with pytest.raises(ContainerTimeout, match="the job and its container were stopped"):
            action.run(ContainerRunInputs(image=image, command=("/bin/sleep", "60")))
    finally:
        watcher.join()
        signal.signal(signal.SIGUSR1, before)


def test_the_next_run_removes_the_container_of_a_killed_agent(engine: Any, image: str) -> None:
    left = engine.containers.run(image, ["/bin/sleep", "600"], detach=True, name=new_name(), labels=labels(-3600))
    waited_for = engine.containers.run(image, ["/bin/sleep", "600"], detach=True, name=new_name(), labels=labels(600))
    try:
        shell(image, "echo a")
        names = {container.name for container in engine.containers.list(all=True)}
        assert left.name not in names
        assert waited_for.name in names
    finally:
        waited_for.remove(force=True)


def test_progress_is_reported(image: str) -> None:
    from coinrequest.actions.context import ActionContext

    class Context(ActionContext):
        def __init__(self) -> None:
            self.reports: list[tuple[float, float | None, str]] = []

        def report(self, done: float, total: float | None = None, message: str = "") -> None:
            self.reports.append((done, total, message))

    context = Context()
    ContainerRun(context).run(
        ContainerRunInputs(image=image, command=("/bin/sh", "-c", "echo a; echo b; sleep 1.5"), timeout=60)
    )
    done, total, message = context.reports[-1]
    assert 0 < done < 60
    assert (total, message) == (60, "seconds, 2 lines of output")
