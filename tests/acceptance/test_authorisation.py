"""Who may do what, with tokens that the running server gave."""

import pytest
import requests
from support.client import API
from support.documents import job_type
from support.platform import Platform


def test_without_a_token_nothing_is_answered(platform: Platform, name: str) -> None:
    nobody = platform.client(None)
    for answer in (
        nobody.get(f"{API}/job-types"),
        nobody.post(f"{API}/job-types", json=job_type(name)),
        nobody.post(f"{API}/job-types/integer/jobs", json={"params": {"value": 0}}),
        nobody.get(f"{API}/jobs"),
    ):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("role", "reads", "submits", "registers"),
    [("viewer", 200, 403, 403), ("user", 200, 202, 403), ("op", 200, 202, 201), ("admin", 200, 202, 201)],
)
def test_the_role_decides(platform: Platform, name: str, role: str, reads: int, submits: int, registers: int) -> None:
    client = platform.client(role)
    assert client.get(f"{API}/job-types/integer").status_code == reads
    assert client.post(f"{API}/job-types/integer/jobs", json={"params": {"value": 0}}).status_code == submits
    assert client.post(f"{API}/job-types", json=job_type(name)).status_code == registers
    assert (platform.dag(name) is not None) == (registers == 201)


def test_a_wrong_password_gives_no_token(platform: Platform) -> None:
    answer = requests.post(
        f"{platform.url}/auth/token", json={"username": "op", "password": "op"}, timeout=30, proxies={"http": ""}
    )
    assert answer.status_code == 401


def test_a_change_is_in_the_audit_log_with_its_user(platform: Platform, name: str) -> None:
    platform.register(job_type(name))
    platform.submit(name)
    entries = platform.airflow(f"/eventLogs?dag_id={name}&limit=100")["event_logs"]
    assert {("job_type.create", "op"), ("job.submit", "user")} <= {
        (entry["event"], entry["owner"]) for entry in entries
    }
