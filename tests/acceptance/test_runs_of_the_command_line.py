"""A run that Airflow's command line starts passes no web server; its first task checks the params."""

import json
import sys

from support.documents import new_name
from support.platform import Platform

PARAMS = {
    "type": "object",
    "properties": {"value": {"type": "integer", "default": 0}},
    "additionalProperties": False,
}


def test_params_that_do_not_fit_fail_the_job_with_the_reason(platform: Platform) -> None:
    name = new_name("command-line")
    wait = {"id": "wait", "action": "integer.wait", "inputs": {"value": "{{ params.value }}"}}
    platform.register({"name": name, "params": PARAMS, "tasks": [wait]})
    for conf in ({"value": 0, "colour": "red"}, {}):
        platform.command([sys.executable, "-m", "airflow", "dags", "trigger", name, "--conf", json.dumps(conf)])
    jobs = platform.jobs(type=name)
    right, wrong = (platform.finished(job["id"]) for job in jobs)
    assert (right["state"], right["result"]["value"]) == ("success", 0)
    assert wrong["state"] == "failed"
    assert wrong["error"]["message"] == (
        "Task 'wait' failed: the run was started with params that do not fit: "
        "params.colour: there is no param 'colour'; known: value"
    )
