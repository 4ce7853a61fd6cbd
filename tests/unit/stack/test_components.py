"""The processes of a stack: their names, commands and readiness checks."""

import sys
from pathlib import Path

import pytest

from coinrequest.stack.components import gateway_names, has_loaded, platform_program, process_names
from coinrequest.stack.layout import Layout
from coinrequest.stack.options import Options
from coinrequest.stack.ports import Ports
from coinrequest.stack.programs import Child, Program

PORTS = Ports(postgres=1, redis=2, web=3)


def program(name: str, tmp_path: Path, options: Options | None = None) -> Program:
    return platform_program(name, {}, layout=Layout(tmp_path), ports=PORTS, options=options or Options())


def test_one_gateway_has_the_plain_name_and_several_are_numbered() -> None:
    assert gateway_names(Options()) == ("gateway",)
    assert gateway_names(Options(gateways=2)) == ("gateway-1", "gateway-2")
    assert {"gateway-1", "gateway-2"} < set(process_names(Options(gateways=2)))


@pytest.mark.parametrize("name", ["gateway", "gateway-2"])
def test_a_gateway_is_the_projects_own_command_and_needs_the_database_only(name: str, tmp_path: Path) -> None:
    gateway = program(name, tmp_path)
    assert gateway.command == (str(Path(sys.executable).parent / "coinrequest"), "gateway")
    assert gateway.needs == ("postgres",)


def test_a_gateway_is_ready_once_it_logs_so(tmp_path: Path) -> None:
    described = program("gateway", tmp_path)
    printing = Program(
        name="gateway",
        command=(sys.executable, "-c", "print('Worker ready.', flush=True); input()"),
        environment={},
        log=described.log,
        is_ready=described.is_ready,
    )
    child = Child(printing)
    child.stop()
    assert not described.is_ready(child)
    assert not has_loaded(child)
    with described.log.open("a") as log:
        log.write("2026-01-01 00:00:00 INFO Gateway is ready\n")
    assert described.is_ready(child)
    assert has_loaded(child)


def test_agents_and_airflows_processes_are_airflows_command(tmp_path: Path) -> None:
    airflow = str(Path(sys.executable).parent / "airflow")
    assert program("scheduler", tmp_path).command[:2] == (airflow, "scheduler")
    agent = program("agent-2", tmp_path, Options(agents=2, concurrency=3, queues="mail")).command
    assert agent[:3] == (airflow, "celery", "worker")
    assert agent[agent.index("--concurrency") + 1] == "3"
    assert agent[agent.index("--queues") + 1] == "mail"
    assert agent[agent.index("--celery-hostname") + 1] == "agent-2@%h"
