"""`docker compose up`, the demonstration, three agents, and what each container may do."""

import re

import pytest
import requests
from support.client import API
from support.compose import ComposeStack, inspect
from support.waiting import eventually

pytestmark = pytest.mark.containers

SERVERS = {"api-server", "scheduler", "dag-processor", "triggerer", "gateway", "agent"}
CONFIGURATION = """
from airflow.configuration import conf

for section, key in (
    ("api", "host"), ("api", "port"), ("core", "executor"), ("celery", "broker_url"), ("celery", "result_backend")
):
    print(conf.get(section, key))
"""

# Prints what a health check imports that has to be compiled first.
WITHOUT_BYTECODE = """
import os, sys
import psycopg, urllib.request

cached = {name: getattr(module, "__cached__", None) for name, module in sys.modules.items()}
print([name for name, path in cached.items() if path and not os.path.exists(path)])
"""


def test_everything_is_healthy_and_the_login_page_is_there(compose_stack: ComposeStack) -> None:
    assert {state for name, state in compose_stack.states().items()} == {"healthy", "exited 0"}
    assert len(compose_stack.containers()) == len(SERVERS) + 4
    answer = requests.get(f"{compose_stack.url}/auth/login/", timeout=30)
    assert answer.status_code == 200
    assert 'name="password"' in answer.text
    health = compose_stack.client("viewer").json(f"{API}/health")
    assert health["status"] == "healthy", health


def test_the_demonstration_prints_its_result(compose_stack: ComposeStack) -> None:
    shown = compose_stack.compose("run", "--rm", "-T", "cli", "demo").stdout
    assert '"result": "200"' in shown
    assert re.search(r"register -> runnable +\d", shown)
    assert "docker compose down" in shown
    assert "make" not in shown


def test_the_dags_are_there_without_import_errors(compose_stack: ComposeStack) -> None:
    def listed() -> bool:
        # The dag-processor reads the hand-written ones some seconds after it has started.
        shown = compose_stack.execute("scheduler", "run-process", "airflow", "dags", "list", "-o", "plain")
        return {"btc_price_operator", "coinrequest_maintenance", "integer", "url-test"} <= set(shown.split())

    eventually(listed, timeout=60, interval=1)
    assert compose_stack.client("admin").json("/api/v2/importErrors")["total_entries"] == 0


def test_the_configuration_is_what_the_file_and_the_environment_say(compose_stack: ComposeStack) -> None:
    def value(section: str, key: str, *settings: str) -> str:
        words = ("scheduler", "run-process", "airflow", "config", "get-value", section, key)
        return compose_stack.compose("exec", "-T", *settings, *words).stdout.split()[-1]

    assert value("core", "load_examples") == "False"
    assert value("core", "load_examples", "-e", "AIRFLOW__CORE__LOAD_EXAMPLES=True") == "True"
    assert value("api", "base_url") == "http://localhost:" + compose_stack.settings["COINREQUEST_PORT"]
    assert value("database", "sql_alchemy_conn").startswith("postgresql://airflow:")
    shown = compose_stack.execute("scheduler", "run-process", "python", "-c", CONFIGURATION).split()
    assert shown[:3] == ["0.0.0.0", "8080", "coinrequest.airflow.executor.fair_executor.FairCeleryExecutor"]
    assert all(url.startswith("redis://:") for url in shown[3:])


def test_three_agents_share_the_work(compose_stack: ComposeStack) -> None:
    compose_stack.scale(3)

    def three() -> list[dict[str, object]]:
        agents: list[dict[str, object]] = compose_stack.client("viewer").json(f"{API}/agents")["agents"]
        assert len(agents) == 3, agents
        return agents

    hosts = {agent["host"] for agent in eventually(three, timeout=30)}
    assert len(hosts) == 3
    jobs = [compose_stack.submit("integer", {"value": 2}) for _ in range(18)]
    worked = set()

    def working() -> bool:
        worked.update(agent["host"] for agent in three() if agent["running"])
        return worked == hosts

    eventually(working, timeout=60, interval=1, what="work for each of the three")
    assert {compose_stack.finished(job)["state"] for job in jobs} == {"success"}


def test_an_agent_that_is_taken_away_ends_its_job_first(compose_stack: ComposeStack) -> None:
    compose_stack.scale(2)
    jobs = [compose_stack.submit("integer", {"value": 20}) for _ in range(5)]

    def running_on_both() -> bool:
        agents = compose_stack.client("viewer").json(f"{API}/agents")["agents"]
        return len(agents) == 2 and all(agent["running"] for agent in agents)

    eventually(running_on_both, timeout=30)
    compose_stack.scale(1)
    assert len(compose_stack.containers("agent")) == 1
    for job in jobs:
        assert compose_stack.finished(job)["state"] == "success"
        tasks = compose_stack.client("admin").json(f"/api/v2/dags/integer/dagRuns/{job}/taskInstances")
        assert [task["try_number"] for task in tasks["task_instances"]] == [1], "it ran once, without a retry"


def test_no_container_has_more_than_it_needs(compose_stack: ComposeStack) -> None:
    for container in compose_stack.containers():
        name, host = container["Name"], container["HostConfig"]
        assert host["CapDrop"] == ["ALL"], name
        assert host["SecurityOpt"] == ["no-new-privileges:true"], name
        assert host["ReadonlyRootfs"], name
        assert host["Memory"] > 0, name
        assert host["NanoCpus"] > 0, name
        assert host["PidsLimit"] > 0, name
        assert host["LogConfig"]["Config"] == {"max-file": "3", "max-size": "10m"}, name
        assert not container["State"]["OOMKilled"], name
        published = [port for ports in (host["PortBindings"] or {}).values() for port in ports]
        assert {port["HostIp"] for port in published} <= {"127.0.0.1"}, name


def test_nothing_runs_as_root(compose_stack: ComposeStack) -> None:
    for service in SERVERS | {"postgres", "redis"}:
        words = ("exec", "-T", "--user", "65534", service, "sh", "-c", "grep -h -E '^(Uid|CapEff)' /proc/[0-9]*/status")
        lines = [line.split() for line in compose_stack.compose(*words).stdout.splitlines()]
        assert "0" not in {words[2] for words in lines if words[0] == "Uid:"}, service
        assert {words[1] for words in lines if words[0] == "CapEff:"} == {"0" * 16}, service


def test_agents_can_read_no_secret_but_their_own(compose_stack: ComposeStack) -> None:
    shown = compose_stack.execute("agent", "sh", "-c", "cat /proc/*/environ | tr '\\0' '\\n'; cat /run/coinrequest/*")
    assert "COINREQUEST_REGISTRY_URL" in shown
    assert not re.search(r"SQL_ALCHEMY_CONN|JWT_SECRET|FERNET_KEY|API__SECRET_KEY", shown)
    password = compose_stack.sign_in()["COINREQUEST_PASSWORD"]
    everything = "".join(str(container) for container in compose_stack.containers())
    assert password not in everything
    assert "postgresql://" not in everything, "docker inspect shows no URL with a password"


def test_the_image_starts_nothing_without_its_secrets(compose_image: str, compose_stack: ComposeStack) -> None:
    for process in sorted(SERVERS):
        answer = compose_stack.compose(
            "run", "--rm", "-T", "--no-deps", "-e", "COINREQUEST_SECRETS_FILE=", process, process, check=False
        )
        assert answer.returncode == 78, process
        assert re.search(rf"error: \w+ is not set, and {process} does not start without it", answer.stderr), process


def test_the_image_is_small_and_has_no_build_tools(compose_image: str, compose_stack: ComposeStack) -> None:
    labels = inspect(compose_image)[0]["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == "coinrequest"
    assert labels["org.opencontainers.image.revision"]
    assert inspect(compose_image)[0]["Size"] <= 900e6
    for program in ("uv", "gcc", "git", "make"):
        shown = compose_stack.execute("agent", "sh", "-c", f"command -v {program} || echo none")
        assert shown.strip() == "none", program


def test_nothing_is_compiled_at_each_start(compose_stack: ComposeStack) -> None:
    assert compose_stack.execute("scheduler", "python", "-c", WITHOUT_BYTECODE).strip() == "[]"


def test_redis_keeps_its_queue_over_a_restart(compose_stack: ComposeStack) -> None:
    compose_stack.compose("stop", "agent")
    try:
        job = compose_stack.submit("integer", {"value": 0})

        def queued() -> bool:
            tasks = compose_stack.client("admin").json(f"/api/v2/dags/integer/dagRuns/{job}/taskInstances")
            return [task["state"] for task in tasks["task_instances"]] == ["queued"]

        eventually(queued)
        compose_stack.kill("redis")
    finally:
        compose_stack.up()
    assert compose_stack.finished(job, timeout=60)["state"] == "success"
