"""Valid definitions and params, broken by chance: none takes more than a second of a processor and 50 MiB."""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from support.budget_corpus import DEFINITIONS, WAIT
from support.measured import Checker

pytestmark = pytest.mark.security

BASES: tuple[dict[str, Any], ...] = (
    json.loads(DEFINITIONS["a large definition"])
    | {"tasks": [{**WAIT, "inputs": {"value": "{{ params.p1 }}"}}, {**WAIT, "id": "x", "depends_on": ["w"]}]},
    {
        "name": "a",
        "schedule": {"cron": "*/15 8-18 * * mon-fri", "timezone": "Europe/Dublin", "overlap": "queue"},
        "params": {
            "type": "object",
            "properties": {
                "urls": {
                    "type": "array",
                    "items": {"type": "string", "format": "uri", "pattern": "^http"},
                    "default": [],
                },
                "mode": {"enum": ["fast", "slow"], "default": "fast"},
                "more": {"$ref": "#/$defs/more", "default": {}},
            },
            "patternProperties": {"^x-": {"type": "string"}},
            "additionalProperties": False,
            "required": ["urls"],
            "$defs": {"more": {"properties": {"a": {"anyOf": [{"type": "integer"}, {"$ref": "#/$defs/more"}]}}}},
        },
        "tasks": [
            {
                "id": "test",
                "action": "url.test",
                "for_each": "{{ params.urls }}",
                "inputs": {"url": "{{ item }}", "expect": {"body_matches": "a+", "json_path": {"$.a[?@.b > 1]": 2}}},
                "retries": {"max": 3, "delay": "5s"},
            },
            {
                "id": "mail",
                "action": "email.send",
                "depends_on": ["test"],
                "inputs": {"to": ["a@example.org"], "subject": "s {{ job.id }}", "text": "{{ tasks.test.output }}"},
            },
        ],
        "notify": [{"on": ["failure"], "webhook": "https://example.org/hook"}],
    },
)
GRIT: tuple[Any, ...] = (
    "a" * 20_000,
    "{{" * 5_000,
    "{{ params.urls }}" * 1_000,
    r"\w{200}(\pL+)*",
    "^(a+)+$",
    "\0",
    "é" * 9_000,
    10**300,
    -1e308,
    [],
    {},
    None,
    True,
    [[]] * 3_000,
    [1] * 9_000,
    ["{{ item }}"] * 2_000,
    {"$ref": "#"},
    {"$ref": "#/$defs/more"},
    {"allOf": [{"$ref": "#/$defs/more"}] * 500},
    {"pattern": "a{1,400}b{1,400}"},
    {f"k{n}": n for n in range(3_000)},
    {"k" * 15_000: 1},
)
MOVES = ("replace", "add", "repeat", "remove")


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container with each of its keys or positions."""
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(inner, dict | list):
            yield from places(inner)


def mutated(document: Any, chance: random.Random) -> Any:
    changed = json.loads(json.dumps(document))
    for _ in range(chance.randint(1, 4)):
        container, key = chance.choice(list(places(changed)))
        grit = json.loads(json.dumps(chance.choice(GRIT)))
        move = chance.choice(MOVES)
        if move == "replace":
            container[key] = grit
        elif move == "remove":
            del container[key]
        elif isinstance(container, list):
            container.extend([container[key]] * chance.randint(1, 300) if move == "repeat" else [grit])
        elif move == "repeat":
            container |= {f"{key}{number}": container[key] for number in range(chance.randint(1, 300))}
        else:
            container[chance.choice(["default", "enum", "anyOf", "items", "required", "pattern", "x"])] = grit
        if not changed:
            break
    return changed


@pytest.mark.parametrize("seed", range(5))
def test_mutated_definitions_and_params_have_a_budget(checks: Checker, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same mutations each time
    tried = 0
    while tried < 20:
        document = mutated(chance.choice(BASES), chance)
        text = json.dumps(document, ensure_ascii=False)
        if len(text.encode()) > 64 * 1024:
            continue
        tried += 1
        cost = checks.cost("definition", text, "application/json")
        assert cost.within, (cost, text[:2_000])
        assert not cost.fault, (cost, text[:2_000])
        given = {"urls": ["https://example.org"] * 20, "more": {"a": {"a": 1}}, "x-a": "b", "mode": "fast"}
        cost = checks.cost("params", BASES[1]["params"], mutated(given, chance))
        assert cost.within, cost
        assert not cost.fault, cost
