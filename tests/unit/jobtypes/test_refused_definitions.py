"""Refused definitions: the fields and the messages of their errors."""

import pytest
from support.definition_samples import REMOVED, definition, errors_of, wait

from coinrequest.jobtypes.definition import parse_definition

NOT_A_NAME = ["", "Wait", "1wait", "a/b", "a..b", "..", "a b", "a" * 101, "é", "a\n", "{{ job.id }}"]
BAD_TEXTS = [
    "{{ conn.x }}",
    "{{ var.value.x }}",
    "{{ params.x | upper }}",
    "{{ params['x'] }}",
    "{% if params.x %}",
    "{{ params.x",
    "{{}}",
    "{{ }}",
    "{{ 1 + 1 }}",
    "{{ {{ params.x }} }}",
    "{{ params. }}",
    "{{ params..x }}",
    "{{ tasks.wait }}",
    "{{ tasks.wait.result }}",
    "{{ job.conf }}",
    "{{ job }}",
    "{{ ds }}",
    "{{ item }}",
    "{{ tasks.nobody.output }}",
    "{{ tasks.wait.output }}",
    "{{ params.y }}",
    "before {{ conn.x }} after",
]


@pytest.mark.parametrize("name", NOT_A_NAME)
def test_names_that_are_refused(name):
    assert "name" in errors_of(definition(name=name))


@pytest.mark.parametrize("name", ["a", "a.b", "a-b_c.9", "a" * 100])
def test_names_that_are_accepted(name):
    assert parse_definition(definition(name=name)).name == name


@pytest.mark.parametrize("text", BAD_TEXTS)
def test_braces_with_anything_but_a_reference_that_exists(text):
    document = definition(
        params={"type": "object", "properties": {"x": {"type": "integer"}}},
        tasks=[wait(inputs={"value": text})],
    )
    assert list(errors_of(document)) == ["tasks[0].inputs.value"]


BAD = {
    # grammar
    "name missing": ({"name": REMOVED}, "name", "is required"),
    "tasks missing": ({"tasks": REMOVED}, "tasks", "is required"),
    "no task": ({"tasks": []}, "tasks", "must not be empty"),
    "101 tasks": ({"tasks": [wait(f"t{n}") for n in range(101)]}, "tasks", "the limit is 100"),
    "unknown field": ({"timezone": "UTC"}, "timezone", "there is no field 'timezone'"),
    "nearest field": ({"descripton": "x"}, "descripton", "did you mean 'description'?"),
    "nearest field of a task": ({"tasks": [wait(retrys={})]}, "tasks[0].retrys", "did you mean 'retries'?"),
    "nearest field of retries": (
        {"tasks": [wait(retries={"max": 1, "dealy": "1s"})]},
        "tasks[0].retries.dealy",
        "did you mean 'delay'?",
    ),
    "owner": ({"owner": "a,b"}, "owner", "letters"),
    "description": ({"description": "x" * 4001}, "description", "the limit is 4,000 characters"),
    "template in the description": ({"description": "{{ params.x }}"}, "description", "only in a task's inputs"),
    "long tag": ({"tags": ["ok", "x" * 101]}, "tags[1]", "100"),
    "tag twice": ({"tags": ["a", "a"]}, "tags", "contains 'a' twice"),
    "tags as text": ({"tags": "a"}, "tags", "must be a list"),
    "priority as text": ({"priority": "5"}, "priority", "whole number"),
    "priority true": ({"priority": True}, "priority", "whole number"),
    "priority 0": ({"priority": 0}, "priority", "at least 1"),
    "concurrency 0": ({"concurrency": {"max_jobs": 0}}, "concurrency.max_jobs", "at least 1"),
    "timeout number": ({"timeout": 30}, "timeout", "such as 30s"),
    "timeout 0s": ({"timeout": "0s"}, "timeout", "longer than 0s"),
    "timeout text": ({"timeout": "soon"}, "timeout", "such as 30s"),
    "timeout too long": ({"timeout": "366d"}, "timeout", "365d"),
    "task timeout": ({"tasks": [wait(timeout="-1s")]}, "tasks[0].timeout", "such as 30s"),
    "retries": ({"tasks": [wait(retries={"max": 21})]}, "tasks[0].retries.max", "at most 20"),
    "negative retries": ({"tasks": [wait(retries={"max": -1})]}, "tasks[0].retries.max", "at least 0"),
    "backoff": (
        {"tasks": [wait(retries={"max": 1, "backoff": "exponentail"})]},
        "tasks[0].retries.backoff",
        "did you mean 'exponential'?",
    ),
    "queue": ({"tasks": [wait(queue="a/b")]}, "tasks[0].queue", "letters"),
    "pool": ({"tasks": [wait(pool="")]}, "tasks[0].pool", "letters"),
    "task id": ({"tasks": [wait("a.b")]}, "tasks[0].id", "lower-case letters"),
    "inputs null": ({"tasks": [wait(inputs=None)]}, "tasks[0].inputs", "object with fields, not null"),
    "result": ({"result": "wiat"}, "result", "did you mean 'wait'?"),
    "empty result": ({"result": ""}, "result", "there is no task"),
    # schedule
    "schedule as text": ({"schedule": "@daily"}, "schedule", "one of the fields cron, every, after"),
    "schedule empty": ({"schedule": {}}, "schedule", "one of the fields cron, every, after"),
    "two forms": ({"schedule": {"cron": "@daily", "every": "1h"}}, "schedule.every", "combined with 'cron'"),
    "overlap": ({"schedule": {"every": "1h", "overlap": "skp"}}, "schedule.overlap", "did you mean 'skip'?"),
    "every 0s": ({"schedule": {"every": "0s"}}, "schedule.every", "longer than 0s"),
    "61 minutes": ({"schedule": {"cron": "61 * * * *"}}, "schedule.cron", "cannot read '61' as minute"),
    "4 fields": ({"schedule": {"cron": "* * * *"}}, "schedule.cron", "has 4 fields"),
    "seconds": ({"schedule": {"cron": "* * * * * *"}}, "schedule.cron", "has 6 fields"),
    "random": ({"schedule": {"cron": "R * * * *"}}, "schedule.cron", "cannot read 'R' as minute"),
    "30 February": ({"schedule": {"cron": "0 0 30 2 *"}}, "schedule.cron", "never comes"),
    "preset": ({"schedule": {"cron": "@dayly"}}, "schedule.cron", "did you mean '@daily'?"),
    "long cron": ({"schedule": {"cron": "0," * 200 + " * * * *"}}, "schedule.cron", "the limit is 200"),
    "time zone": (
        {"schedule": {"cron": "@daily", "timezone": "Europe/Dubln"}},
        "schedule.timezone",
        "did you mean 'Europe/Dublin'?",
    ),
    "zone as path": ({"schedule": {"cron": "@daily", "timezone": "../x"}}, "schedule.timezone", "no time zone"),
    "after itself": ({"schedule": {"after": ["wait"]}}, "schedule.after[0]", "after itself"),
    "after nothing": ({"schedule": {"after": []}}, "schedule.after", "must not be empty"),
    "after a name": ({"schedule": {"after": ["A"]}}, "schedule.after[0]", "lower-case"),
    # actions
    "action": ({"tasks": [wait(action="integer.wiat")]}, "tasks[0].action", "did you mean 'integer.wait'?"),
    "shell": ({"tasks": [wait(action="bash")]}, "tasks[0].action", "there is no action 'bash'"),
    "input type": ({"tasks": [wait(inputs={"value": "3"})]}, "tasks[0].inputs.value", "whole number"),
    "input missing": ({"tasks": [wait(inputs={})]}, "tasks[0].inputs.value", "is required"),
    "input unknown": (
        {"tasks": [wait(inputs={"value": 1, "valeu": 2})]},
        "tasks[0].inputs.valeu",
        "did you mean 'value'?",
    ),
    "text for a number": (
        {"tasks": [wait(inputs={"value": "{{ job.id }}0"})]},
        "tasks[0].inputs.value",
        "text around a reference makes it text",
    ),
    # graph
    "id twice": ({"tasks": [wait(), wait()]}, "tasks[1].id", "already the id of tasks[0]"),
    "unknown dependency": (
        {"tasks": [wait("first"), wait("second", depends_on=["frist"])]},
        "tasks[1].depends_on[0]",
        "did you mean 'first'?",
    ),
    "dependency twice": (
        {"tasks": [wait("a"), wait("b", depends_on=["a", "a"])]},
        "tasks[1].depends_on",
        "contains 'a' twice",
    ),
    "self": ({"tasks": [wait(depends_on=["wait"])]}, "tasks[0].depends_on", "wait → wait"),
    "cycle": (
        {
            "tasks": [
                wait("z"),
                wait("a", depends_on=["c"]),
                wait("b", depends_on=["a"]),
                wait("c", depends_on=["b"]),
            ]
        },
        "tasks[1].depends_on",
        "a → c → b → a",
    ),
    # references
    "not upstream": (
        {"tasks": [wait("a"), wait("b", inputs={"value": "{{ tasks.a.output.value }}"})]},
        "tasks[1].inputs.value",
        "add 'a' to its depends_on",
    ),
    "items not upstream": (
        {"tasks": [wait("a"), wait("b", for_each="{{ tasks.a.output }}")]},
        "tasks[1].for_each",
        "add 'a' to its depends_on",
    ),
    "item in for_each": ({"tasks": [wait(for_each=["{{ item }}"])]}, "tasks[0].for_each[0]", "gives the items"),
    "for_each text": ({"tasks": [wait(for_each="a")]}, "tasks[0].for_each", "must be a list"),
    "for_each mixed": ({"tasks": [wait(for_each="{{ job.id }}x")]}, "tasks[0].for_each", "a single reference"),
    "for_each object": ({"tasks": [wait(for_each={})]}, "tasks[0].for_each", "must be a list"),
    "a part of an output that may be null": (
        {
            "tasks": [
                wait(),
                wait(
                    id="report", depends_on=["wait"], when="always", inputs={"value": "{{ tasks.wait.output.value }}"}
                ),
            ]
        },
        "tasks[1].inputs.value",
        "task 'wait' may have failed when this task runs, and its output is null then; use tasks.wait.output as",
    ),
    "another time to run": ({"tasks": [wait(when="alway")]}, "tasks[0].when", "did you mean 'always'?"),
    "for_each empty": ({"tasks": [wait(for_each=[])]}, "tasks[0].for_each", "1 to 1,000"),
    "for_each 1001": ({"tasks": [wait(for_each=[1] * 1001)]}, "tasks[0].for_each", "1 to 1,000"),
    "no params": (
        {"tasks": [wait(inputs={"value": "{{ params.x }}"})]},
        "tasks[0].inputs.value",
        "declares no params",
    ),
    "brace in a key": (
        {
            "tasks": [
                {
                    "id": "mail",
                    "action": "email.send",
                    "inputs": {"subject": "x", "body": {"{{ job.id }}": "x"}},
                }
            ]
        },
        "tasks[0].inputs.body.{{ job.id }}",
        "name of a field",
    ),
    # notify
    "notify form": ({"notify": [{"on": ["success"]}]}, "notify[0]", "one of the fields webhook, apprise, channel"),
    "notify on": ({"notify": [{"on": ["sucess"], "channel": True}]}, "notify[0].on[0]", "did you mean 'success'?"),
    "notify on nothing": ({"notify": [{"on": [], "channel": True}]}, "notify[0].on", "must not be empty"),
    "notify without on": ({"notify": [{"channel": True}]}, "notify[0].on", "is required"),
    "no channel": ({"notify": [{"on": ["success"], "channel": False}]}, "notify[0].channel", "must be true"),
    "channel 1": ({"notify": [{"on": ["success"], "channel": 1}]}, "notify[0].channel", "true or false"),
    "ftp": ({"notify": [{"on": ["success"], "webhook": "ftp://x.org"}]}, "notify[0].webhook", "https URL"),
    "password": (
        {"notify": [{"on": ["success"], "webhook": "https://u:p@x.org"}]},
        "notify[0].webhook",
        "keep secrets in a connection",
    ),
    "secret in clear": (
        {"notify": [{"on": ["success"], "webhook": "https://x.org", "secret": "hunter2"}]},
        "notify[0].secret",
        "object with fields",
    ),
    "two destinations": (
        {"notify": [{"on": ["success"], "webhook": "https://x.org", "channel": True}]},
        "notify[0].channel",
        "combined with 'webhook'",
    ),
    # values that cannot be stored
    "NUL": ({"description": "a\0b"}, "description", "NUL"),
    "surrogate": ({"tags": ["\ud800"]}, "tags[0]", "surrogate"),
    "infinity": ({"priority": float("inf")}, "priority", "finite"),
    "not JSON": ({"tags": {1}}, "tags", "not a type of JSON"),
}


@pytest.mark.parametrize(("changes", "field", "message"), BAD.values(), ids=BAD.keys())
def test_one_error_names_its_field_and_the_remedy(changes, field, message):
    document = definition(**changes)
    errors = errors_of({key: value for key, value in document.items() if value is not REMOVED})
    assert list(errors) == [field]
    assert message in errors[field]


@pytest.mark.parametrize("sql", ["{{ params.sql }}", "SELECT * FROM orders WHERE id = {{ params.id }}"])
def test_params_cannot_be_part_of_a_statement(sql, monkeypatch):
    monkeypatch.setenv("COINREQUEST_SQL_CONNECTIONS", "warehouse")
    task = {"id": "ask", "action": "sql.query", "inputs": {"connection": "warehouse", "sql": sql}}
    names = {"sql": {"type": "string"}, "id": {"type": "string"}}
    errors = errors_of(definition(tasks=[task], params={"type": "object", "properties": names}))
    assert errors == {"tasks[0].inputs.sql": "cannot contain references; pass values in another input"}
