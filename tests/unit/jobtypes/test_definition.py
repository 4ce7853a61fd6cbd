"""A definition is accepted, or refused with all errors and their fields."""

import copy
import json
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from support.definition_samples import definition, errors_of, wait

from coinrequest.actions import catalogue
from coinrequest.jobtypes.definition import definition_schema, load_definition, parse_definition
from coinrequest.jobtypes.document import load_document
from coinrequest.jobtypes.errors import DefinitionInvalid

REPORT = {
    "name": "btc-report",
    "description": "Bitcoin in three currencies, by mail",
    "owner": "data",
    "tags": ["prices"],
    "schedule": {"cron": "*/15 * * * *", "timezone": "Europe/Dublin", "catch_up": False, "overlap": "skip"},
    "params": {
        "type": "object",
        "properties": {"currencies": {"type": "array", "items": {"type": "string"}, "default": ["USD", "GBP", "EUR"]}},
        "additionalProperties": False,
    },
    "tasks": [
        {
            "id": "prices",
            "action": "coin.prices",
            "inputs": {"coin": "BTC", "currencies": "{{ params.currencies }}"},
            "retries": {"max": 3, "delay": "5s", "backoff": "exponential"},
            "timeout": "30s",
        },
        {
            "id": "mail",
            "action": "email.send",
            "depends_on": ["prices"],
            "inputs": {"subject": "BTC {{ tasks.prices.output.0.rate }}", "body": "{{ tasks.prices.output }}"},
            "queue": "mail",
        },
    ],
    "result": "prices",
    "timeout": "10m",
    "concurrency": {"max_jobs": 2},
    "priority": 5,
    "notify": [
        {
            "on": ["success", "failure"],
            "webhook": "https://example.org/hook",
            "secret": {"connection": "example_hook"},
        },
        {"on": ["failure"], "apprise": {"connection": "ops_chat"}},
        {"on": ["success"], "channel": True},
    ],
}


def test_the_example_of_the_documentation_is_accepted():
    parsed = parse_definition(REPORT)
    prices, mail = parsed.tasks
    assert parsed.schedule.timezone == "Europe/Dublin"
    assert prices.retries.delay == timedelta(seconds=5)
    assert prices.timeout == timedelta(seconds=30)
    assert mail.depends_on == ("prices",)
    assert parsed.timeout == timedelta(minutes=10)
    assert [type(entry).__name__ for entry in parsed.notify] == [
        "WebhookNotify",
        "AppriseNotify",
        "ChannelNotify",
    ]


def test_defaults():
    parsed = parse_definition({"name": "two", "tasks": [wait("one"), wait("two")]})
    assert parsed.result == "two"
    assert parsed.schedule is None
    assert parsed.params is None
    assert parsed.priority == 1
    assert parsed.notify == ()
    assert parsed.tasks[0].retries is None


def test_the_document_is_not_changed():
    document = copy.deepcopy(REPORT)
    parse_definition(document)
    assert document == REPORT


def test_a_definition_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        parse_definition(REPORT).name = "other"


def test_the_built_in_types_are_valid():
    folder = files("coinrequest.install") / "job_types"
    documents = [entry for entry in folder.iterdir() if entry.name.endswith(".yaml")]
    assert documents
    for entry in documents:
        parse_definition(load_document(entry.read_bytes(), "application/yaml"))


def test_all_errors_come_at_once():
    errors = errors_of(
        {
            "name": "Bad",
            "nmae": "bad",
            "schedule": {"cron": "61 * * * *", "timezone": "Mars"},
            "params": {"type": "object", "properties": {"x": {"type": "int"}}},
            "tasks": [
                {"id": "a", "action": "nothing", "depends_on": ["b"], "timeout": "0s"},
                {"id": "b", "action": "integer.wait", "inputs": {"valeu": 1}, "depends_on": ["a"]},
                {"id": "b", "action": "integer.wait", "inputs": {"value": "{{ conn.x }}"}},
            ],
            "result": "c",
        }
    )
    assert set(errors) == {
        "name",
        "nmae",
        "schedule.cron",
        "schedule.timezone",
        "params.properties.x.type",
        "tasks[0].action",
        "tasks[0].depends_on",
        "tasks[0].timeout",
        "tasks[1].inputs.valeu",
        "tasks[1].inputs.value",
        "tasks[2].id",
        "tasks[2].inputs.value",
        "result",
    }


@pytest.mark.parametrize("document", [[], "text", None, 3])
def test_a_definition_is_an_object(document):
    assert list(errors_of(document)) == [""]


def test_the_number_of_errors_is_limited():
    with pytest.raises(DefinitionInvalid) as caught:
        parse_definition(definition(**{f"field{number}": 1 for number in range(5000)}))
    assert len(caught.value.errors) == 201
    assert "there is more" in caught.value.errors[-1].message


def test_any_input_may_be_a_reference():
    tasks = [
        wait("a", inputs={"value": "{{ params.n }}"}),
        wait("b", depends_on=["a"], for_each=[1, 2], inputs={"value": "{{ item }}"}),
        wait("c", depends_on=["b"], for_each="{{ params.list }}", inputs={"value": "{{ item.x.0 }}"}),
        wait("d", depends_on=["c"], inputs={"value": "{{ tasks.a.output.value }}"}),
    ]
    assert parse_definition(definition(params={"type": "object"}, tasks=tasks)).result == "d"


def test_a_broken_action_is_an_error_of_the_task(monkeypatch):
    def broken(name):
        raise catalogue.BrokenAction("No module named 'numpy'")

    monkeypatch.setattr("coinrequest.jobtypes.inputs.find_action", broken)
    assert errors_of(definition())["tasks[0].action"] == (
        "action 'integer.wait' is installed but cannot be loaded (BrokenAction: No module named 'numpy'); an "
        "administrator has to repair its package"
    )


def test_loading_trusts_what_was_checked():
    document = definition(schedule={"cron": "no longer valid"}, tasks=[wait(action="since.removed")])
    assert load_definition(document).tasks[0].action == "since.removed"
    with pytest.raises(DefinitionInvalid):
        load_definition({"name": "wait"})


def test_loading_and_parsing_give_the_same_definition():
    assert load_definition(json.loads(json.dumps(REPORT))) == parse_definition(REPORT)


def test_the_schema_of_a_definition_accepts_the_example():
    schema = definition_schema()
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(REPORT)
    assert "result" not in schema["required"]
    assert not Draft202012Validator(schema).is_valid({**REPORT, "nmae": 1})


def test_an_agent_imports_only_what_it_needs():
    program = """
import sys
from coinrequest.jobtypes.definition import load_definition
load_definition({"name": "wait", "tasks": [{"id": "a", "action": "integer.wait"}]})
heavy = {"croniter", "jsonschema", "yaml", "requests", "pycurl", "referencing", "coinrequest.actions", "sqlalchemy"}
sys.exit(", ".join(sorted(heavy & set(sys.modules))) or 0)
"""
    completed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FIELD = st.sampled_from(
    ["name", "description", "owner", "tags", "schedule", "params", "tasks", "result", "timeout", "notify"]
)
TASK_FIELD = st.sampled_from(["action", "inputs", "depends_on", "for_each", "retries", "timeout", "queue"])


@given(JSON)
def test_no_document_breaks_the_parser(document):
    with pytest.raises(DefinitionInvalid):
        parse_definition(document)


@given(st.dictionaries(FIELD, JSON, max_size=4), st.dictionaries(TASK_FIELD, JSON, max_size=4))
def test_no_field_breaks_the_parser(fields, task):
    with suppress(DefinitionInvalid):
        parse_definition(definition(tasks=[wait("first"), {**wait(), **task}]))
    with suppress(DefinitionInvalid):
        parse_definition({**definition(), **fields})
