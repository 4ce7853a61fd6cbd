"""A database that accepts connections but does not respond causes a 503 within 5 s on every route; then it recovers."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil
import pytest
import requests
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool
from support import api_environment as environment
from support.silent_proxy import SilentProxy
from support.waiting import eventually
from support.web_server import WebServer, web_server

from coinrequest.database.connection import CONNECT_ARGS

pytestmark = pytest.mark.faults

# Seconds.
LIMIT = 5.0
# This process is also all the clients. A sign-in that waits in the loop holds it for the whole silence.
LONGEST_PAUSE = 1.0

AIRFLOWS = ("/api/v2/dags", "/api/v2/monitor/health", "/api/v2/dags/~/dagRuns", "/ui/dags", "/ui/config")


@dataclass(frozen=True)
class Site:
    """The web server with a database that can stop responding, and a direct way to the database."""

    server: WebServer
    proxy: SilentProxy
    direct: Any
    tokens: dict[str, str]

    def ask(self, method: str, path: str, *, role: str = "Op", cookie: bool = False, **options: Any) -> Any:
        token = self.tokens[role]
        sign_in: dict[str, Any] = (
            {"cookies": {"_token": token}} if cookie else {"headers": {"Authorization": f"Bearer {token}"}}
        )
        sign_in.setdefault("headers", {}).update(options.pop("headers", {}))
        if cookie:
            sign_in["headers"]["Origin"] = self.server.url
        return requests.request(method, f"{self.server.url}{path}", timeout=20, **sign_in, **options)

    def sql(self, statement: str, **values: Any) -> list[Any]:
        with self.direct.begin() as connection:
            result = connection.execute(text(statement), values)
            return list(result) if result.returns_rows else []


@pytest.fixture(scope="module")
def site(airflow_app: Any, tokens: dict[str, str]) -> Iterator[Site]:
    variable = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
    url = make_url(os.environ[variable])
    proxy = SilentProxy(int(url.port or 0))
    direct = create_engine(url, poolclass=NullPool)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(variable, url.set(port=proxy.port).render_as_string(hide_password=False))
        _reconnect()
        with web_server(airflow_app) as server:
            found = Site(server, proxy, direct, tokens)
            # The first request builds the application.
            assert found.ask("GET", "/jobs/v1/jobs").status_code == 200
            yield found
    _reconnect()
    direct.dispose()
    proxy.close()


def _reconnect() -> None:
    from airflow import settings

    settings.dispose_orm(do_log=False)
    environment.reconnect()


@pytest.fixture(scope="module")
def job(site: Site) -> tuple[str, str]:
    """A type and a job of it."""
    name = "s-silent"
    assert site.ask("PUT", f"/jobs/v1/job-types/{name}", json=environment.definition(name)).status_code in (200, 201)
    return name, site.ask("POST", f"/jobs/v1/job-types/{name}/jobs", json={}).json()["id"]


def every_call(site: Site, name: str, job_id: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Every method of every route of ours, with what it takes, and some of Airflow's."""
    described = site.ask("GET", "/jobs/openapi.json").json()["paths"]
    revision = site.ask("GET", f"/jobs/v1/job-types/{name}").json()["revision"]
    bodies: dict[tuple[str, str], Any] = {
        ("post", "/v1/job-types"): environment.definition("s-silent-new"),
        ("put", "/v1/job-types/{name}"): environment.definition(name, description="changed"),
        ("post", "/v1/job-types/{name}/rollback"): {"revision": revision},
        ("post", "/v1/job-types/{name}/jobs"): {"params": {}},
        ("post", "/v1/add_job"): {"url": "http://127.0.0.1:9/"},
    }
    calls = []
    for path, methods in described.items():
        for method in set(methods) & {"get", "post", "put", "delete", "patch"}:
            ours = path.removeprefix("/jobs")
            address = (
                ours.format(name=name, id=job_id, number=revision)
                if ours != "/v1/actions/{name}"
                else ("/v1/actions/url.test")
            )
            query = f"?from={revision}" if ours.endswith("/diff") else "?wait=60" if ours == "/v1/jobs/{id}" else ""
            body = bodies.get((method, ours))
            calls.append((method.upper(), f"/jobs{address}{query}", {} if body is None else {"json": body}))
    calls += [("GET", path, {}) for path in AIRFLOWS]
    return [*calls, ("POST", "/auth/token", {"json": {"username": "somebody", "password": "wrong"}})]


@contextmanager
def stopped_server(site: Site) -> Iterator[None]:
    """Stop all processes of PostgreSQL, as on a machine that hangs."""
    with site.direct.connect() as connection:
        postmaster = psutil.Process(connection.scalar(text("SELECT pg_backend_pid()"))).parent()
    assert postmaster is not None
    # The first to be stopped starts no others.
    postmaster.send_signal(signal.SIGSTOP)
    processes = [postmaster, *postmaster.children(recursive=True)]
    try:
        for process in processes:
            _signal(process, signal.SIGSTOP)
        yield
    finally:
        for process in processes:
            _signal(process, signal.SIGCONT)


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    # A connection that was just closed leaves a process for a moment.
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def is_refusal(answer: Any) -> bool:
    if answer.status_code != 503:
        return False
    body = answer.json()
    return bool(
        body["status"] == 503
        and answer.headers["content-type"] == "application/problem+json"
        and int(answer.headers["retry-after"]) > 0
        and "does not answer" in body["detail"]
    )


@pytest.mark.parametrize(("how", "cookie"), [("proxy", False), ("server", True)])
def test_every_route_is_a_503_within_five_seconds(site: Site, job: tuple[str, str], how: str, cookie: bool) -> None:
    calls = every_call(site, *job)
    assert len(calls) > 25
    before = environment.contents()

    def timed(call: tuple[str, str, dict[str, Any]]) -> tuple[str, float, Any]:
        method, path, options = call
        started = time.monotonic()
        answer = site.ask(method, path, cookie=cookie, **options)
        return f"{method} {path}", time.monotonic() - started, answer

    site.server.longest_pause()
    with ThreadPoolExecutor(len(calls)) as pool:
        with site.proxy.silence() if how == "proxy" else stopped_server(site):
            found = list(pool.map(timed, calls))
            again = list(pool.map(timed, calls))
        pause = site.server.longest_pause()
    wrong = [
        f"{what}: {answer.status_code} {answer.text[:200]}"
        for what, _, answer in found + again
        if not is_refusal(answer)
    ]
    assert wrong == []
    longest = max(seconds for _, seconds, _ in found)
    print(f"{how}: {len(calls)} routes, the slowest 503 after {longest:.2f} s, the event loop paused {pause:.3f} s")
    assert longest < LIMIT
    assert max(seconds for _, seconds, _ in again) < LIMIT
    assert pause < LONGEST_PAUSE
    # It heals by itself, and nothing that was refused is done after all.
    eventually(lambda: site.ask("GET", "/jobs/v1/jobs").status_code == 200, timeout=15)
    eventually(lambda: environment.contents() == before, timeout=15)
    assert site.ask("GET", "/jobs/v1/health").status_code == 200


def test_a_request_that_waits_in_a_transaction_is_aborted_and_not_committed(site: Site, job: tuple[str, str]) -> None:
    name, _ = job
    count = "SELECT count(*) FROM coinrequest_job WHERE job_type = :name"
    before = site.sql(count, name=name)
    with ThreadPoolExecutor(1) as pool, site.direct.connect() as holder:
        holder.execute(text("SELECT 1 FROM dag WHERE dag_id = :name FOR UPDATE"), {"name": name})
        submission = pool.submit(site.ask, "POST", f"/jobs/v1/job-types/{name}/jobs", json={})
        eventually(lambda: site.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))
        with site.proxy.silence():
            assert is_refusal(submission.result(10))
        holder.rollback()
    eventually(lambda: site.ask("GET", "/jobs/v1/jobs").status_code == 200, timeout=15)
    eventually(lambda: not site.sql("SELECT 1 FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"))
    assert site.sql(count, name=name) == before
    # The same request again is done once.
    assert site.ask("POST", f"/jobs/v1/job-types/{name}/jobs", json={}).status_code == 202


def test_a_long_request_is_not_aborted_while_the_database_responds(site: Site, job: tuple[str, str]) -> None:
    name, job_id = job
    with ThreadPoolExecutor(2) as pool, site.direct.connect() as holder:
        holder.execute(text("SELECT 1 FROM dag WHERE dag_id = :name FOR UPDATE"), {"name": name})
        submission = pool.submit(site.ask, "POST", f"/jobs/v1/job-types/{name}/jobs", json={})
        waiting = pool.submit(site.ask, "GET", f"/jobs/v1/jobs/{job_id}?wait={LIMIT}")
        with pytest.raises(TimeoutError):
            submission.result(LIMIT)
        holder.rollback()
        assert submission.result(10).status_code == 202
        assert waiting.result(10).status_code == 200


def test_a_stream_of_events_is_not_aborted(site: Site, job: tuple[str, str]) -> None:
    name, job_id = job
    events = site.ask("GET", f"/jobs/v1/jobs/{job_id}/events", stream=True)
    lines = events.iter_lines()
    assert next(lines) == b"event: queued"
    with site.proxy.silence():
        assert is_refusal(site.ask("GET", "/jobs/v1/jobs"))
    # The stream goes on when the database does.
    site.sql("UPDATE dag_run SET state = 'running' WHERE dag_id = :name AND run_id = :id", name=name, id=job_id)
    assert any(line == b"event: running" for line in lines)
    events.close()


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("53100", "disk of the database is full"),
        ("53300", "no more connections"),
        ("25006", "read-only"),
        ("55P03", "take too long"),
        ("57P01", "cannot be reached"),
        ("57014", "cannot be reached"),
        ("40001", "cannot be reached"),
    ],
)
def test_an_outage_that_the_database_reports_is_a_503(site: Site, job: tuple[str, str], state: str, words: str) -> None:
    name, _ = job
    site.sql(
        "CREATE FUNCTION s_refuse() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{state}'; END$$"
    )
    site.sql("CREATE TRIGGER s_refuse BEFORE INSERT ON coinrequest_job FOR EACH ROW EXECUTE FUNCTION s_refuse()")
    try:
        answer = site.ask("POST", f"/jobs/v1/job-types/{name}/jobs", json={})
    finally:
        site.sql("DROP FUNCTION s_refuse CASCADE")
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) > 0
    assert words in answer.json()["detail"]


def test_a_pool_without_a_free_connection_is_a_503(site: Site) -> None:
    from airflow import settings

    pool = settings.engine.pool
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "_timeout", 0.5)
        held = [settings.engine.raw_connection() for _ in range(pool.size() + pool._max_overflow)]
        try:
            answer = site.ask("GET", "/jobs/v1/jobs")
        finally:
            for connection in held:
                connection.close()
    assert answer.status_code == 503, answer.text


def test_a_connection_to_a_server_that_disappeared_is_closed(site: Site) -> None:
    from airflow import settings

    with settings.engine.connect() as connection:
        used = connection.connection.driver_connection.info.get_parameters()
    assert {name: used[name] for name in CONNECT_ARGS} == {name: str(value) for name, value in CONNECT_ARGS.items()}
