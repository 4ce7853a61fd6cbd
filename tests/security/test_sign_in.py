"""Guessing passwords is slow and cheap to refuse, on every route and web server, and locks no other user out."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

pytestmark = [pytest.mark.security, pytest.mark.usefixtures("airflow_app")]

PASSWORD = "the right one"
# From one address of its own each, so that tests do not count for each other.
Guess = Callable[..., Any]


@pytest.fixture
def database() -> Iterator[Any]:
    from airflow.utils.session import create_session

    with create_session(scoped=False) as session:
        yield session


@pytest.fixture(scope="session")
def known_user(airflow_app: Any) -> str:
    from airflow.providers.fab.www.security_appless import ApplessAirflowSecurityManager
    from airflow.utils.session import create_session
    from werkzeug.security import generate_password_hash

    name = f"user-{uuid.uuid4().hex[:8]}"
    with create_session() as session:
        security = ApplessAirflowSecurityManager(session=session)
        security.add_user(
            username=name,
            first_name="A",
            last_name="User",
            email=f"{name}@example.org",
            role=security.find_role("Admin"),
            hashed_password=generate_password_hash(PASSWORD),
        )
    return name


@pytest.fixture
def no_hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Compare passwords without hashing, which takes 0.1 s each. Returns the passwords that were checked."""
    from airflow.providers.fab.auth_manager.security_manager import override

    looked_at: list[str] = []

    def check(_hash: str, password: str) -> bool:
        looked_at.append(password)
        return password == PASSWORD

    monkeypatch.setattr(override, "check_password_hash", check)
    return looked_at


@pytest.fixture
def sign_in(airflow_app: Any, no_hashes: list[str], database: Any) -> Iterator[Guess]:
    """Try to sign in: `sign_in(user, password, address)`; other tests' counters are left alone."""
    database.execute(text("DELETE FROM coinrequest_sign_in"))
    database.commit()

    def attempt(user: str, password: str = "wrong", address: str = "192.0.2.1", door: str = "/auth/token") -> Any:  # noqa: S107
        client = TestClient(airflow_app, client=(address, 50000), raise_server_exceptions=False)
        return client.post(door, json={"username": user, "password": password, "provider": "db"})

    yield attempt
    database.execute(text("DELETE FROM coinrequest_sign_in"))
    database.commit()


def later(database: Any, how_much: timedelta) -> None:
    """Advance the time of the counters."""
    database.execute(
        text(
            "UPDATE coinrequest_sign_in SET last_at = last_at - :much, retry_at = retry_at - :much,"
            " expires_at = expires_at - :much"
        ),
        {"much": how_much},
    )
    database.commit()


def pause(database: Any) -> int:
    """Return the longest pause that was set, in seconds: exact, however long the test takes to ask."""
    found: int = database.scalar(
        text("SELECT max(extract(epoch FROM retry_at - last_at))::int FROM coinrequest_sign_in")
    )
    database.rollback()
    return found


def states(answers: list[Any]) -> list[int]:
    return [answer.status_code for answer in answers]


@pytest.mark.parametrize("user", ["known", "nobody-has-this-name"])
def test_ten_wrong_passwords_are_free_and_then_each_takes_longer(
    sign_in: Guess, known_user: str, user: str, no_hashes: list[str], database: Any
) -> None:
    name = known_user if user == "known" else user
    answers = [sign_in(name) for _ in range(12)]
    assert states(answers) == [401] * 10 + [429] * 2
    refused = answers[-1]
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["retry-after"] == "1"
    # The limit comes before the hash.
    assert len(no_hashes) == 10
    pauses = []
    for _ in range(9):
        later(database, timedelta(seconds=61))
        assert sign_in(name).status_code == 401
        pauses.append(pause(database))
        assert 1 <= int(sign_in(name).headers["retry-after"]) <= pauses[-1]
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60, 60]


def test_a_right_password_is_checked_only_after_the_pause(sign_in: Guess, known_user: str, database: Any) -> None:
    for _ in range(10):
        sign_in(known_user)
    assert sign_in(known_user, PASSWORD).status_code == 429
    later(database, timedelta(seconds=2))
    assert sign_in(known_user, PASSWORD).status_code == 201
    # And then everything is forgotten.
    assert states([sign_in(known_user) for _ in range(10)]) == [401] * 10


def test_right_passwords_do_not_count(sign_in: Guess, known_user: str) -> None:
    assert states([sign_in(known_user, PASSWORD) for _ in range(30)]) == [201] * 30


def test_an_attack_does_not_lock_out_a_user_at_their_usual_address(
    sign_in: Guess, known_user: str, database: Any
) -> None:
    """An attack on one name from many addresses, while its owner signs in from their usual address."""
    home = "198.51.100.7"
    assert sign_in(known_user, PASSWORD, home).status_code == 201
    answers = [sign_in(known_user, "wrong", f"203.0.113.{number}") for number in range(120)]
    assert states(answers).count(429) >= 15
    assert sign_in(known_user, PASSWORD, "203.0.113.200").status_code == 429
    assert states([sign_in(known_user, PASSWORD, home) for _ in range(3)]) == [201] * 3
    # From elsewhere it is a minute at the most.
    later(database, timedelta(seconds=61))
    assert sign_in(known_user, PASSWORD, "203.0.113.200").status_code == 201


def test_guessing_many_names_from_one_address_does_not_lock_out_its_other_users(
    sign_in: Guess, known_user: str
) -> None:
    """A whole office may share one address, or all users if a proxy does not forward theirs."""
    office = "198.51.100.8"
    assert sign_in(known_user, PASSWORD, office).status_code == 201
    answers = [sign_in(f"name-{number}", "wrong", office) for number in range(60)]
    assert states(answers) == [401] * 50 + [429] * 10
    assert sign_in(known_user, PASSWORD, office).status_code == 201
    assert sign_in("name-99", "wrong", "198.51.100.9").status_code == 401


def test_ipv6_addresses_of_one_network_count_as_one(sign_in: Guess) -> None:
    answers = [sign_in("somebody", "wrong", f"2001:db8::{number:x}") for number in range(1, 13)]
    assert states(answers) == [401] * 10 + [429] * 2


@pytest.mark.parametrize("door", ["/auth/token/cli", "/auth/api/v1/security/login"])
def test_all_routes_share_the_counters(sign_in: Guess, known_user: str, door: str) -> None:
    for _ in range(10):
        sign_in(known_user)
    assert sign_in(known_user, "wrong", door=door).status_code == 429
    # Names are the same in capitals, as FAB has it.
    assert sign_in(known_user.upper()).status_code == 429


def test_the_form_counts_too(sign_in: Guess, airflow_app: Any, known_user: str, no_hashes: list[str]) -> None:
    client = TestClient(airflow_app, client=("192.0.2.1", 50000), follow_redirects=False)
    page = client.get("/auth/login/").text
    _, _, rest = page.partition('name="csrf_token"')
    token = rest.partition('value="')[2].partition('"')[0]
    form = {"csrf_token": token, "username": known_user, "password": "wrong"}
    headers = {"origin": "http://testserver"}
    answers = [client.post("/auth/login/", data=form, headers=headers) for _ in range(12)]
    assert states(answers) == [302] * 10 + [429] * 2
    assert len(no_hashes) == 10


def test_simultaneous_attempts_do_not_bypass_the_limit(sign_in: Guess, known_user: str, no_hashes: list[str]) -> None:
    """Each attempt counts before its password is checked."""
    start = threading.Barrier(8)

    def guess() -> list[int]:
        start.wait()
        return states([sign_in(known_user) for _ in range(4)])

    with ThreadPoolExecutor(8) as pool:
        answers = [state for future in [pool.submit(guess) for _ in range(8)] for state in future.result()]
    assert set(answers) == {401, 429}
    assert len(no_hashes) == 10


@pytest.mark.parametrize(
    "body", [{}, {"username": "a"}, {"username": ["a"], "password": "b"}, {"username": "a\x00", "password": "b"}]
)
def test_a_malformed_sign_in_is_not_a_server_error(airflow_app: Any, sign_in: Guess, body: Any) -> None:
    client = TestClient(airflow_app, raise_server_exceptions=False)
    assert client.post("/auth/token", json=body).status_code in (400, 401, 422)


def test_the_response_does_not_reveal_whether_a_user_exists(airflow_app: Any, known_user: str) -> None:
    client = TestClient(airflow_app, raise_server_exceptions=False)
    for door in ("/auth/token", "/auth/token/cli", "/auth/api/v1/security/login"):
        answers = [
            client.post(
                door,
                content=json.dumps({"username": name, "password": "\ud800", "provider": "db"}),
                headers={"Content-Type": "application/json"},
            )
            for name in (known_user, "nobody-has-this-name")
        ]
        assert len({(answer.status_code, answer.text) for answer in answers}) == 1, door
        # FAB's own door, which opens nothing in Airflow, stumbles over it before any user is looked up.
        assert answers[0].status_code == (422 if door.startswith("/auth/api/") else 401), (door, answers[0].text)


def test_old_counters_are_removed(sign_in: Guess, database: Any) -> None:
    for number in range(30):
        sign_in(f"name-{number}", "wrong", f"192.0.2.{number}")
    later(database, timedelta(hours=1))
    for _ in range(8):
        sign_in("another")
    assert database.scalar(text("SELECT count(*) FROM coinrequest_sign_in")) <= 3


def test_a_refusal_costs_little(sign_in: Guess, known_user: str) -> None:
    for _ in range(10):
        sign_in(known_user)
    began = time.perf_counter()
    for _ in range(20):
        assert sign_in(known_user).status_code == 429
    assert (time.perf_counter() - began) / 20 < 0.1


def test_fab_checks_passwords_only_behind_the_limit(airflow_app: Any) -> None:
    """A contract: FAB has no third function that takes a password, and its doors use the two."""
    import inspect

    from airflow.providers.fab.auth_manager.api.auth.backend import basic_auth
    from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager
    from airflow.providers.fab.auth_manager.security_manager.override import FabAirflowSecurityManagerOverride
    from flask_appbuilder.security import api, views

    takes = {
        name
        for name, function in inspect.getmembers(FabAirflowSecurityManagerOverride, inspect.isfunction)
        if name.startswith("auth_user_") and "password" in inspect.signature(function).parameters
    }
    assert takes == {"auth_user_db", "auth_user_ldap"}
    for module in (basic_auth, FabAuthManager.create_token, views, api):
        assert "check_password_hash" not in inspect.getsource(module)
    manager = airflow_app.state.auth_manager
    for name in takes:
        assert getattr(manager.security_manager, name).__module__ == "coinrequest.airflow.api_server.sign_in_limits"


def test_attempts_that_overlap_are_not_refused_for_each_other(database: Any) -> None:
    """One that began before another is counted after it, with an earlier `now()`."""
    from contextlib import contextmanager

    from coinrequest.airflow.api_server import sign_in_attempts
    from coinrequest.airflow.session import airflow_session

    user, address = f"user-{uuid.uuid4().hex[:8]}", "192.0.2.77"
    with airflow_session() as earlier:
        earlier.execute(text("SELECT now()"))
        assert sign_in_attempts.count_attempt(user, address).pause == 0

        @contextmanager
        def begun_before() -> Iterator[Any]:
            yield earlier

        assert sign_in_attempts.count_attempt(user, address, begun_before).pause == 0
