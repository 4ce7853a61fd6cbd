"""`container.run` without an engine: what is allowed, what a container is made of, what its output becomes."""

import builtins
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from coinrequest.actions import container_run
from coinrequest.actions.base import ActionFailed
from coinrequest.actions.container_run import (
    ContainerFailed,
    ContainerRefused,
    ContainerRun,
    ContainerRunInputs,
    ContainerRunResult,
    ContainerTimeout,
    ContainerUnavailable,
)
from coinrequest.actions.containers.docker_engine import container_options
from coinrequest.actions.containers.output import TAIL_LIMIT, Output
from coinrequest.actions.containers.runtime import (
    ContainerSpec,
    Outcome,
    Report,
    Runtime,
    RuntimeUnavailable,
    TimedOut,
    is_orphaned,
    labels,
    new_name,
)

IMAGES = "COINREQUEST_CONTAINER_IMAGES"
NETWORK = "COINREQUEST_CONTAINER_NETWORK"


class FakeRuntime(Runtime):
    """Writes what it is told to, and ends as it is told to."""

    def __init__(self, end: Outcome | Exception, written: bytes = b"") -> None:
        super().__init__()
        self.end, self.written = end, written
        self.orders: list[ContainerSpec] = []

    def run(self, order: ContainerSpec, output: Output, report: Report) -> Outcome:
        self.orders.append(order)
        output.add(self.written)
        report(0.5)
        if isinstance(self.end, Exception):
            raise self.end
        return self.end

    def stop(self) -> None:
        self.stopped = True


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(IMAGES, "busybox:1.36, registry.example.org/team/*")


def run(monkeypatch: pytest.MonkeyPatch, runtime: Runtime, **inputs: Any) -> ContainerRunResult:
    monkeypatch.setattr(container_run, "_runtime", lambda: runtime)
    return ContainerRun().run(ContainerRunInputs.model_validate({"image": "busybox:1.36", **inputs}))


def test_a_successful_container_returns_its_output_and_its_json(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = FakeRuntime(Outcome(0, False), b'working\n{"rows": 3}\n')
    result = run(
        monkeypatch,
        runtime,
        command=["sh", "-c", "echo $A; rm -rf /"],
        environment={"A": "b c"},
        memory=64,
        cpus=0.5,
        timeout=9,
        user=1000,
        working_directory="/work",
    )
    assert result.model_dump(mode="json") == {
        "exit_code": 0,
        "output": 'working\n{"rows": 3}\n',
        "truncated": False,
        "json": {"rows": 3},
    }
    assert runtime.orders == [
        ContainerSpec(
            image="docker.io/library/busybox:1.36",
            command=("sh", "-c", "echo $A; rm -rf /"),
            environment={"A": "b c"},
            memory_bytes=64 * 1024 * 1024,
            cpus=0.5,
            timeout=9,
            user=1000,
            working_directory="/work",
            network=None,
        )
    ]


@pytest.mark.parametrize(
    ("end", "error", "message"),
    [
        (Outcome(3, False), ContainerFailed, "busybox:1.36 exited with code 3; the end of its output:\nthe reason"),
        (
            Outcome(137, True),
            ContainerFailed,
            "ran out of memory; its limit is 256 MiB; the end of its output:\nthe reason",
        ),
        (
            Outcome(137, False),
            ContainerFailed,
            "busybox:1.36 exited with code 137 (SIGKILL, but not for its memory); the end of its output:\nthe reason",
        ),
        (
            Outcome(143, False),
            ContainerFailed,
            "exited with code 143 (SIGTERM); the end of its output:\nthe reason",
        ),
        (Outcome(255, False), ContainerFailed, "exited with code 255; the end of its output:\nthe reason"),
        (TimedOut(), ContainerTimeout, "ran longer than 300 s; the end of its output:\nthe reason"),
        (RuntimeUnavailable("no engine"), ContainerUnavailable, "no engine"),
    ],
)
def test_failures_have_the_end_of_the_output(
    monkeypatch: pytest.MonkeyPatch, end: Outcome | Exception, error: type[ActionFailed], message: str
) -> None:
    with pytest.raises(error) as caught:
        run(monkeypatch, FakeRuntime(end, b"a\n" * 5_000 + b"the reason\n"))
    assert message.partition("\n")[0] in str(caught.value)
    assert message.rpartition("\n")[2] in str(caught.value)
    assert len(str(caught.value)) < 2_000
    assert error in ContainerRun.failures


def test_a_container_that_stop_removed_is_not_taken_for_a_broken_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = FakeRuntime(RuntimeUnavailable("no such container"))
    runtime.stop()
    with pytest.raises(ContainerTimeout, match="stopped"):
        run(monkeypatch, runtime)


def test_stop_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(FakeRuntime):
        def run(self, order: ContainerSpec, output: Output, report: Report) -> Outcome:
            action.stop()
            return Outcome(0, False)

        def stop(self) -> None:
            raise RuntimeUnavailable("no engine")

    monkeypatch.setattr(container_run, "_runtime", lambda: Broken(Outcome(0, False)))
    action = ContainerRun()
    action.stop()
    assert action.run(ContainerRunInputs(image="busybox:1.36")).exit_code == 0


def test_other_exit_codes_can_be_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(monkeypatch, FakeRuntime(Outcome(1, False)), expected_exit_codes=[0, 1])
    assert result.exit_code == 1
    with pytest.raises(ContainerFailed):
        run(monkeypatch, FakeRuntime(Outcome(0, False)), expected_exit_codes=[1])


def test_the_action_is_unavailable_until_images_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ContainerRun.unavailable() is None
    monkeypatch.delenv(IMAGES)
    assert IMAGES in str(ContainerRun.unavailable())
    runtime = FakeRuntime(Outcome(0, False))
    with pytest.raises(ContainerRefused, match=IMAGES):
        run(monkeypatch, runtime)
    assert runtime.orders == []


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (IMAGES, "*", "COINREQUEST_CONTAINER_IMAGES: '\\*' is not a valid pattern"),
        ("COINREQUEST_CONTAINER_RUNTIME", "podman", "must be docker or kubernetes"),
        (NETWORK, "host", "must be a network such as bridge, not 'host'"),
        (NETWORK, "container:postgres", "must be a network such as bridge"),
    ],
)
def test_an_invalid_setting_makes_the_action_unavailable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    monkeypatch.setenv(variable, value)
    runtime = FakeRuntime(Outcome(0, False))
    with pytest.raises(ContainerRefused, match=message):
        run(monkeypatch, runtime)
    assert runtime.orders == []


def test_an_image_that_is_not_allowed_is_refused_by_its_full_name(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = FakeRuntime(Outcome(0, False))
    with pytest.raises(ContainerRefused, match=r"the image evil\.net/team/tool:latest is not allowed"):
        run(monkeypatch, runtime, image="evil.net/team/tool")
    assert runtime.orders == []
    run(monkeypatch, runtime, image="registry.example.org/team/tool")


def test_the_network_needs_the_setting_of_the_administrator(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = FakeRuntime(Outcome(0, False))
    with pytest.raises(ContainerRefused, match=NETWORK):
        run(monkeypatch, runtime, network=True)
    monkeypatch.setenv(NETWORK, "jobs")
    run(monkeypatch, runtime, network=True)
    run(monkeypatch, runtime)
    assert [order.network for order in runtime.orders] == ["jobs", None]


@pytest.mark.parametrize(
    "wrong",
    [
        {"image": "py thon"},
        {"user": 0},
        {"user": -1},
        {"memory": 1},
        {"memory": 1_000_000},
        {"cpus": 0},
        {"timeout": 0},
        {"timeout": 86_401},
        {"working_directory": "relative"},
        {"command": "echo a"},
        {"command": ["a\x00b"]},
        {"command": ["x" * 70_000]},
        {"environment": {"A=B": "x"}},
        {"environment": {"A": "\x00"}},
        {"environment": {"": "x"}},
        {"expected_exit_codes": []},
        {"privileged": True},
        {"volumes": ["/:/host"]},
        {"network": "host"},
        {"devices": []},
        {"entrypoint": ["sh"]},
    ],
)
def test_invalid_inputs_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ContainerRunInputs.model_validate({"image": "busybox:1.36", **wrong})


def test_the_restrictions_of_a_docker_container_are_fixed() -> None:
    options = container_options(ContainerSpec(image="a"))
    assert options | {"labels": None} == {
        "command": None,
        "environment": {},
        "working_dir": None,
        "user": "65534:65534",
        "labels": None,
        "network_mode": "none",
        "mem_limit": 268435456,
        "memswap_limit": 268435456,
        "nano_cpus": 1_000_000_000,
        "pids_limit": 256,
        "privileged": False,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "read_only": True,
        "tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=67108864,mode=1777,uid=65534,gid=65534"},  # noqa: S108 - in the container
        "log_config": {"Type": "none"},
        "stdin_open": False,
        "tty": False,
    }


def test_an_agent_without_the_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without(name: str, *rest: Any, **options: Any) -> Any:
        if name.partition(".")[0] in ("docker", "kubernetes"):
            raise ImportError(name)
        return original(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    action = ContainerRun()
    with pytest.raises(ContainerUnavailable, match=r"pip install 'coinrequest\[docker\]'"):
        action.run(ContainerRunInputs(image="busybox:1.36"))
    monkeypatch.setenv("COINREQUEST_CONTAINER_RUNTIME", "kubernetes")
    with pytest.raises(ContainerUnavailable, match=r"pip install 'coinrequest\[kubernetes\]'"):
        action.run(ContainerRunInputs(image="busybox:1.36"))


def test_a_missing_engine_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    # Not "docker", which is also a folder of this project.
    pytest.importorskip("docker.client", reason="the docker extra is not installed")
    monkeypatch.setenv("COINREQUEST_CONTAINER_ENGINE", "tcp://127.0.0.1:1")
    with pytest.raises(ContainerUnavailable, match="the Docker engine: "):
        ContainerRun().run(ContainerRunInputs(image="busybox:1.36"))


def test_a_container_has_labels_with_its_job() -> None:
    assert labels(10, "0199")["coinrequest.job"] == "0199"
    scheduled = labels(10, "scheduled__2026-11-22T08:00:00+00:00")
    assert scheduled["coinrequest.job"] == "scheduled__2026-11-22T08-00-00-00-00"


def test_only_expired_containers_of_the_platform_are_orphaned() -> None:
    name = new_name()
    assert is_orphaned(name, labels(timeout=-100))
    assert not is_orphaned(name, labels(timeout=10))
    assert not is_orphaned("postgres", labels(timeout=-100))
    assert not is_orphaned(name, {})
    assert not is_orphaned(name, {"coinrequest.until": "soon"})


@given(st.lists(st.binary(max_size=90_000), max_size=5))
def test_the_end_of_the_output_is_kept_whatever_it_is(chunks: list[bytes]) -> None:
    output = Output()
    for chunk in chunks:
        output.add(chunk)
    whole = b"".join(chunks)
    assert output.truncated == (len(whole) > TAIL_LIMIT)
    assert output.lines == whole.count(b"\n")
    assert "\x00" not in output.text
    assert whole.decode("utf-8", "replace").replace("\x00", "\ufffd").endswith(output.text)
    assert len(output.text) <= TAIL_LIMIT


@pytest.mark.parametrize(
    ("written", "document"),
    [
        (b"", None),
        (b"text", None),
        (b'{"a": 1}', {"a": 1}),
        (b'a\n[1, "x"]\n\n  \n', [1, "x"]),
        (b"a\n7", 7),
        (b"NaN", None),
        (b'{"a": 1}\ndone', None),
        (b"\xff\xfe", None),
        (b'"' + b"x" * TAIL_LIMIT + b'"', None),
        (b"x\n" + b"[" * 50_000, None),
    ],
)
def test_the_last_line_is_the_document_if_it_is_json(written: bytes, document: Any) -> None:
    output = Output()
    output.add(written)
    assert output.document == document


def test_standard_error_is_shown_but_never_parsed() -> None:
    output = Output()
    output.add(b'{"a": 1}\n')
    output.add(b"2 warnings\n", is_error=True)
    assert (output.text, output.lines, output.document) == ('{"a": 1}\n2 warnings\n', 2, {"a": 1})
