from starlette.testclient import TestClient

DEFINITION = {
    "name": "thin",
    "tasks": [{"id": "wait", "action": "integer.wait", "inputs": {"value": 0}}],
}


def test_a_registered_type_takes_a_job(op: TestClient) -> None:
    created = op.post("/jobs/v1/job-types", json=DEFINITION)
    assert created.status_code == 201, created.text
    assert created.json()["definition"] == DEFINITION
    submitted = op.post("/jobs/v1/job-types/thin/jobs", json={})
    assert submitted.status_code == 202, submitted.text
    found = op.get(submitted.headers["location"] + "?wait=0.2")
    assert found.status_code == 200, found.text
    assert found.json()["state"] == "queued"
    health = op.get("/jobs/v1/health")
    assert health.status_code == 200, health.text
