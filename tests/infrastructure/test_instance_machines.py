"""Instances that boot for real: user data from Terraform, cloud-init, systemd, the image, PostgreSQL and Redis.

Three machines serve all tests, in the order in which they stand here; the last two take one away and start it again.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import pytest
from support.client import API, Client
from support.compose import require_engine
from support.instance import AGENT, SCHEDULER, TRIGGERER, WEB, Machine, require_terraform
from support.instance_site import Site, docker
from support.ports import free_ports
from support.waiting import always, eventually

from coinrequest.install.process_secrets import process_secrets
from coinrequest.install.secrets import OWN_CHANNEL_VARIABLE, Secrets

pytestmark = pytest.mark.aws

# A busy machine; an idle one takes a minute.
_LAUNCH_SECONDS = 420.0


@pytest.fixture(scope="module")
def site(compose_image: str) -> Iterator[Site]:
    require_terraform()
    require_engine()
    site = Site()
    try:
        yield site
    finally:
        site.close()


@pytest.fixture(scope="module")
def machines(site: Site, compose_image: str) -> Iterator[dict[str, Machine]]:
    """One instance each of web, scheduler and agent, which come into service, and one whose image is broken."""
    found = {
        "web": Machine(site, WEB, image=compose_image, port=free_ports(1)[0]),
        "scheduler": Machine(site, SCHEDULER, image=compose_image),
        "agent": Machine(site, AGENT, image=compose_image),
        # An image without the program that an instance starts.
        "broken": Machine(site, TRIGGERER, image="redis:7.4-bookworm", local={"LAUNCH_SECONDS": "20"}, name="broken"),
    }
    try:
        for host in ("web", "broken", "agent"):
            found[host].start()
        _await_launch(found["broken"], "ABANDON")
        docker("stop", found["broken"].name)
        # It may start earlier, but then keeps the processors busy with attempts.
        _await(found["web"], "the migration", lambda: found["web"].is_active("coinrequest-migrate"))
        found["scheduler"].start()
        for host in ("web", "agent", "scheduler"):
            _await_launch(found[host], "CONTINUE")
        yield found
    finally:
        for machine in found.values():
            machine.remove()


def _launches(machine: Machine) -> list[str]:
    calls = machine.site.cloud.called("CompleteLifecycleAction", machine.instance)
    return [call.result for call in calls if call.hook == "launching"]


def _await_launch(machine: Machine, result: str) -> None:
    _await(machine, "the end of the launch", lambda: bool(_launches(machine)))
    assert _launches(machine) == [result], machine.report()


def _await(machine: Machine, what: str, condition: Callable[[], bool]) -> None:
    try:
        eventually(condition, timeout=_LAUNCH_SECONDS, interval=1.0, what=what)
    except AssertionError as error:
        error.add_note(machine.report())
        raise


@pytest.fixture(scope="module")
def client(machines: dict[str, Machine]) -> Iterator[Client]:
    client = _sign_in(machines["web"])
    yield client
    client.close()


def _sign_in(web: Machine) -> Client:
    return Client(f"http://127.0.0.1:{web.port}", "admin", json.loads(web.site.values["people"])["admin"])


def _submit(client: Client, seconds: int) -> str:
    answer = client.post(f"{API}/job-types/integer/jobs", json={"params": {"value": seconds}})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def _task(client: Client, job: str) -> dict[str, Any]:
    tasks: list[dict[str, Any]] = client.json(f"/api/v2/dags/integer/dagRuns/{job}/taskInstances")["task_instances"]
    return tasks[0] if tasks else {"state": None}


def _await_task(client: Client, job: str, state: str, timeout: float = 120.0) -> dict[str, Any]:
    def there() -> dict[str, Any]:
        task = _task(client, job)
        assert task["state"] == state, task
        return task

    return eventually(there, timeout=timeout, interval=0.5)


def _await_component(client: Client, name: str) -> None:
    def healthy() -> bool:
        component = client.get(f"{API}/health").json()["components"][name]
        assert component["status"] == "healthy", component
        return True

    eventually(healthy, timeout=90, interval=1.0)


# -- in service --------------------------------------------------------------------------------------------


def test_an_instance_comes_into_service_when_its_processes_are_healthy(machines: dict[str, Machine]) -> None:
    for role in ("web", "scheduler", "agent"):
        assert _launches(machines[role]) == ["CONTINUE"]
        for process in machines[role].role.processes:
            assert machines[role].is_active(f"coinrequest@{process}")
        assert "coinrequest" not in machines[role].execute("systemctl", "--failed", "--plain")


def test_an_instance_with_a_broken_image_never_does(machines: dict[str, Machine]) -> None:
    assert _launches(machines["broken"]) == ["ABANDON"]


def test_the_web_server_answers_and_signs_in(client: Client) -> None:
    assert client.json("/api/v2/version")["version"]
    _await_component(client, "broker")


def test_a_job_runs_on_the_agent(client: Client) -> None:
    task = _await_task(client, _submit(client, 1), "success")
    assert task["hostname"] == "agent"


def test_the_gateway_reaches_its_channel(client: Client, machines: dict[str, Machine]) -> None:
    """The scheduler's instance may read what a gateway needs, so that it can stand for one."""
    machine = machines["scheduler"]
    _write_secrets(machine, "gateway")
    machine.execute("systemctl", "start", "coinrequest@gateway")
    try:
        _await_component(client, "gateway")
    finally:
        machine.execute("systemctl", "stop", "coinrequest@gateway")


def test_containers_have_no_rights_and_limits(machines: dict[str, Machine]) -> None:
    for role in ("web", "scheduler", "agent"):
        for process in machines[role].role.processes:
            host = machines[role].inspect(process)["HostConfig"]
            assert host["ReadonlyRootfs"]
            assert host["CapDrop"] == ["ALL"]
            assert not host["CapAdd"]
            assert not host["Privileged"]
            assert host["SecurityOpt"] == ["no-new-privileges"]
            assert host["PidsLimit"] > 0
            assert host["Memory"] > 0


def test_the_swap_file_is_made_once(machines: dict[str, Machine]) -> None:
    """A swap file affects the whole engine, so a program that only prints its arguments replaces `swapon`."""
    agent = machines["agent"]
    agent.execute(
        "sh", "-c", r"printf '#!/bin/sh\necho uses $1\n' >/usr/local/sbin/swapon; chmod +x /usr/local/sbin/swapon"
    )
    for _ in range(2):
        assert "uses /swapfile\n" in agent.execute("env", "SWAP=4M", "/usr/local/lib/coinrequest/swap.sh")
    assert agent.execute("stat", "--format", "%a %s", "/swapfile").split() == ["600", str(4 * 2**20)]


# -- secrets -----------------------------------------------------------------------------------------------


def test_only_its_process_can_read_a_secret(machines: dict[str, Machine]) -> None:
    expected = {"web": ["api-server"], "scheduler": ["dag-processor", "scheduler"], "agent": ["agent"]}
    for role, names in expected.items():
        folder = str(machines[role].secrets)
        listed = machines[role].execute("find", folder, "-name", "*.env", "-printf", "%m %U %f\n").splitlines()
        # Those of the migration are gone.
        assert sorted(line for line in listed if "gateway" not in line) == [f"400 50000 {name}.env" for name in names]
        assert machines[role].execute("stat", "--format", "%a", folder).strip() == "700"


def test_processes_get_the_same_variables_as_in_containers(machines: dict[str, Machine]) -> None:
    """A process's file names the same variables as `coinrequest.install.process_secrets`."""
    values = Secrets(**{field.name: "x" for field in fields(Secrets)})

    def variables_of(process: str) -> set[str]:
        return set(process_secrets(process, values, postgres="p", redis="r"))

    _write_secrets(machines["scheduler"], "gateway", "triggerer")
    _write_secrets(machines["web"], "migrate")
    expected = {
        ("scheduler", "gateway"): variables_of("gateway") | {OWN_CHANNEL_VARIABLE},
        ("web", "migrate"): variables_of("prepare"),
        ("agent", "agent"): variables_of("agent"),
        ("web", "api-server"): variables_of("api-server"),
        **{("scheduler", process): variables_of(process) for process in ("scheduler", "dag-processor", "triggerer")},
    }
    for (role, process), variables in expected.items():
        text = machines[role].execute("cat", f"{machines[role].secrets}/{process}.env")
        names = set(re.findall(r"^export (\w+)=", text, re.M)) - {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC"}
        assert names == variables, process
        urls = re.findall(r"'(\w[\w+]*)://[^']*[?]([^']*)'", text)
        assert urls
        for scheme, query in urls:
            assert scheme == "rediss" or "sslmode=verify-full" in query
            assert scheme != "rediss" or "ssl_cert_reqs=required" in query


def test_no_secret_leaves_memory(site: Site, machines: dict[str, Machine]) -> None:
    values = {*site.values.values(), *json.loads(site.values["people"]).values()}
    values.add(json.loads(site.values["master"])["password"])
    for machine in (machines[role] for role in ("web", "scheduler", "agent")):
        shown = [
            (machine.folder / "seed" / "user-data").read_text(),
            *(path.read_text() for path in (machine.folder / "terraform").glob("*.tfstate")),
            machine.execute("sh", "-c", "cat /etc/coinrequest/*.env"),
            machine.execute("journalctl", "--no-pager"),
            docker("inspect", machine.name),
        ]
        for process in machine.role.processes:
            shown += [json.dumps(machine.inspect(process)), docker("logs", machine.container(process))]
        assert not [value for value in values if any(value in text for text in shown)], machine.name


def test_the_database_gets_passwords_as_verifiers_only(site: Site) -> None:
    log = docker("logs", f"{site.name}-database", stderr=True)
    assert "SCRAM-SHA-256$" in log, "the server does not log what this test reads"
    assert site.values["database-owner"] not in log
    assert site.values["database-reader"] not in log


def test_the_roles_have_just_the_rights_that_they_need(site: Site) -> None:
    rights = "SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = "
    assert site.sql(f"{rights}'airflow'") == "f"
    assert site.sql(f"{rights}'coinrequest_reader'") == "f"
    owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'airflow'"
    assert site.sql(owner) == "airflow"
    assert site.sql("SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'airflow'",
                    ) == "t"  # fmt: skip


def _write_secrets(machine: Machine, *processes: str) -> None:
    load = "set -a; . /etc/coinrequest/instance.env; . /etc/coinrequest/local.env"
    machine.execute("bash", "-c", f'{load}; exec /usr/local/lib/coinrequest/secrets.sh "$@"', "-", *processes)


# -- illness, scale-in, reboot -----------------------------------------------------------------------------


def test_an_instance_that_stays_unhealthy_asks_to_be_replaced(site: Site, machines: dict[str, Machine]) -> None:
    agent = machines["agent"]
    before = len(site.cloud.calls)
    assert not site.cloud.called("SetInstanceHealth", agent.instance), "it was well so far"
    # On a busy machine runc gives up on processes that keep on forking.
    eventually(lambda: docker("pause", agent.container("agent")), timeout=60, interval=2)
    try:
        eventually(lambda: site.cloud.called("SetInstanceHealth", agent.instance), timeout=90, interval=0.5)
    finally:
        docker("unpause", agent.container("agent"))
    assert site.cloud.called("SetInstanceHealth", agent.instance)[0].result == "Unhealthy"
    assert {call.action for call in site.cloud.calls[before:]} == {"SetInstanceHealth"}


def test_an_agent_whose_instance_is_terminated_finishes_its_job(
    site: Site, machines: dict[str, Machine], client: Client
) -> None:
    agent = machines["agent"]
    running = _submit(client, 20)
    _await_task(client, running, "running")
    site.cloud.target_states[agent.instance] = "Terminated"
    eventually(lambda: site.cloud.called("RecordLifecycleActionHeartbeat", agent.instance), timeout=30)
    # It has just been told to stop; what comes now is for others.
    state = eventually(lambda: agent.execute("systemctl", "is-active", "coinrequest@agent", check=False).strip())
    assert state == "deactivating"
    late = _submit(client, 0)

    def completed() -> list[str]:
        calls = site.cloud.called("CompleteLifecycleAction", agent.instance)
        return [call.result for call in calls if call.hook == "terminating"]

    def in_order() -> bool:
        """Whether the machine is kept as long as the job runs."""
        return not completed() or _task(client, running)["state"] == "success"

    always(in_order, seconds=5)
    assert eventually(completed, timeout=120, interval=0.5) == ["CONTINUE"], agent.report()
    task = _task(client, running)
    assert (task["state"], task["try_number"], task["hostname"]) == ("success", 1, "agent")
    assert len(site.cloud.called("RecordLifecycleActionHeartbeat", agent.instance)) >= 2
    assert _task(client, late)["state"] == "queued"


def test_everything_comes_back_after_a_reboot(site: Site, machines: dict[str, Machine], client: Client) -> None:
    site.cloud.target_states.clear()
    # The group heard of the illness in the test above, and is not to hear of this.
    machines["agent"].execute("systemctl", "stop", "coinrequest-lifecycle", "coinrequest@agent")
    before = len(site.cloud.calls)
    waiting = _submit(client, 0)
    _await_task(client, waiting, "queued")
    for role in ("agent", "web"):
        machines[role].reboot()

    def answers() -> Client:
        try:
            return _sign_in(machines["web"])
        except OSError as error:
            raise AssertionError(str(error)) from error

    again = eventually(answers, timeout=_LAUNCH_SECONDS, interval=2.0)
    try:
        assert _await_task(again, waiting, "success", timeout=_LAUNCH_SECONDS)["hostname"] == "agent"
    finally:
        again.close()
    assert site.cloud.calls[before:] == [], "a reboot is neither a launch nor an illness"
