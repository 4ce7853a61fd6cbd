"""The OpenAPI document, and whether the API conforms to it."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient


def test_every_operation_is_described(op: TestClient) -> None:
    document = op.get("/jobs/openapi.json").json()
    assert document["servers"] == [{"url": "/jobs"}]
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            assert operation["description"], where
            assert operation["tags"], where
            assert operation["security"] == [{"token": []}], where
            assert {"500", "503"} <= set(operation["responses"]), where
            for status, answer in operation["responses"].items():
                if status.startswith(("4", "5")):
                    schema = answer["content"]["application/problem+json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/Problem"}, where
            if method in ("post", "put") and "requestBody" in operation:
                assert "example" in operation["requestBody"]["content"]["application/json"], where


def test_the_example_can_be_registered(op: TestClient) -> None:
    document = op.get("/jobs/openapi.json").json()
    body = document["paths"]["/v1/job-types"]["post"]["requestBody"]
    example = body["content"]["application/json"]["example"]
    assert op.post("/jobs/v1/job-types?dry_run=true", json=example).status_code == 200


def test_the_documentation_page_is_served(op: TestClient) -> None:
    page = op.get("/jobs/docs")
    assert page.status_code == 200
    assert "/jobs/openapi.json" in page.text


CHECKS = [
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
    content_type_conformance,
]


@pytest.fixture
def no_agents(airflow_app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An inspection of the agents that finds none; there is no broker here."""
    from coinrequest.api.routes import agents
    from coinrequest.single_flight import SingleFlight

    monkeypatch.setattr(agents, "inspection", SingleFlight(list, keep=1, name="test"))


def test_the_api_conforms_to_its_description(airflow_app: Any, tokens: dict[str, str], no_agents: None) -> None:
    described = schemathesis.openapi.from_asgi("/jobs/openapi.json", airflow_app)
    for result in described.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=8,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def hold(case: schemathesis.Case) -> None:
            if isinstance(case.query, dict) and "wait" in case.query:
                case.query["wait"] = 0
            response = case.call(headers={"Authorization": f"Bearer {tokens['Op']}"})
            case.validate_response(response, checks=CHECKS)

        hold()
