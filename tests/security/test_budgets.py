"""Whatever is sent, its check takes at most a second of a processor and 50 MiB."""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from support.measured import Checker, Cost, checker

JSON = "application/json"
YAML = "application/yaml"
DRAFT = "https://json-schema.org/draft/2020-12/schema"
SECONDS = 1.0
MEBIBYTES = 50.0

WAIT = {"id": "w", "action": "integer.wait", "inputs": {"value": 1}}


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checker]:
    with checker(tmp_path_factory.mktemp("airflow")) as running:
        yield running


def within(cost: Cost) -> bool:
    return cost.cpu <= SECONDS and cost.mebibytes <= MEBIBYTES


def fault(cost: Cost) -> bool:
    """Whether it would have been a 500: an error that is none of those that are answered."""
    kind = cost.outcome.partition(":")[0]
    return kind.endswith(("Error", "Exception")) or cost.outcome == "ran away"


def of(**fields: Any) -> str:
    return json.dumps({"name": "a", "tasks": [WAIT], **fields}, ensure_ascii=False)


def using(action: str, **inputs: Any) -> str:
    task = {"id": "a", "action": action, "for_each": [1], "inputs": inputs}
    return json.dumps({"name": "a", "tasks": [task]}, ensure_ascii=False)


def expecting(count: int, **expectations: Any) -> str:
    tasks = [
        {"id": f"t{n}", "action": "url.test", "inputs": {"url": "http://a.b", "expect": expectations}}
        for n in range(count)
    ]
    return json.dumps({"name": "a", "tasks": tasks}, ensure_ascii=False)


def nested(depth: int, opening: str, inside: str, closing: str) -> Any:
    return json.loads(opening * depth + inside + closing * depth)


def doubling(levels: int) -> dict[str, Any]:
    """A schema whose references lead to two others each."""
    return {
        **{f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)},
        f"d{levels}": {"type": "integer"},
    }


DEFINITIONS = {
    "patterns that compile to 0.7 GB": of(
        params={"properties": {f"p{n}": {"pattern": rf"\w{{200}}{n}"} for n in range(60)}}
    ),
    "patterns of letters of every script": of(
        params={"properties": {f"p{n}": {"pattern": rf"\p{{L}}{{1,90}}{n}"} for n in range(900)}}
    ),
    "patterns that are large enough": of(
        params={"properties": {f"p{n}": {"pattern": rf"\pL[\pN\d]{n}"} for n in range(200)}}
    ),
    "one pattern of 60,000 characters": of(params={"properties": {"a": {"pattern": "(a|b)" * 12_000}}}),
    "nested repetitions": of(params={"properties": {"a": {"pattern": "(" * 400 + "a" + "{2})" * 400}}}),
    "required": of(params={"required": [f"{n}x" for n in range(6_000)]}, schedule={"every": "1h"}),
    "required, odd": of(params={"required": [x for n in range(1_500) for x in ({"a": n}, f"{n}", n, [n])]}),
    "names near to keywords": of(params={f"defaul{n}": 1 for n in range(3_500)}),
    "schemas": of(params={"properties": {f"p{n}": {} for n in range(4_500)}}),
    "schemas that are true": of(params={"anyOf": [True] * 9_000}),
    "references": of(params={"properties": {f"p{n}": {"$ref": "#/$defs/x"} for n in range(990)}, "$defs": {"x": {}}}),
    "references to a long default": of(
        params={
            "properties": {f"p{n}": {"$ref": "#/$defs/x"} for n in range(900)},
            "$defs": {"x": {"default": "x" * 25_000}},
        }
    ),
    "references to a long list": of(
        params={
            "properties": {f"p{n}": {"$ref": "#/$defs/x"} for n in range(900)},
            "$defs": {"x": {"enum": [f"e{n}" for n in range(4_000)]}},
        }
    ),
    "definitions shared by many params": of(
        params={"properties": {f"p{n}": {} for n in range(900)}, "$defs": {"x": {"description": "x" * 45_000}}}
    ),
    "references that double": of(
        params={"properties": {"x": {"$ref": "#/$defs/d0", "default": 1}}, "$defs": doubling(40)}
    ),
    "defaults that double": of(
        params={
            "properties": {"x": {"$ref": "#/$defs/d0", "default": {}}},
            "$defs": {
                **{
                    f"d{n}": {"properties": {k: {"$ref": f"#/$defs/d{n + 1}", "default": {}} for k in "ab"}}
                    for n in range(40)
                },
                "d40": {},
            },
        }
    ),
    "a reference to itself": of(params={"$ref": "#", "properties": {"x": {"default": 1, "$ref": "#/properties/x"}}}),
    "a reference with an endless index": of(params={"anyOf": [{}], "$ref": "#/anyOf/" + "9" * 5_000}),
    "defaults of many schemas": of(
        params={"properties": {f"p{n}": {"allOf": [{"type": "integer"}] * 9, "default": 1} for n in range(90)}}
    ),
    "enumerations": of(params={"properties": {"a": {"enum": [{"a": n} for n in range(5_000)], "default": {"a": 1}}}}),
    "numbers that no float holds": of(params={"properties": {"a": {"multipleOf": 10**4_000, "default": 0.5}}}),
    "a schema within a schema": of(params=nested(45, '{"not":', "{}", "}")),
    "a draft within a schema": of(
        params={"properties": {"a": {"$schema": DRAFT, "pattern": "^(a+)+$", "default": "a" * 40 + "!"}}}
    ),
    "a long key above many values": of(**{"k" * 25_000: [1.5] * 8_000}),
    "a long key above many errors": of(**{"k" * 30_000: ["\0"] * 3_000}),
    "fields nobody knows": of(**{f"descriptio{n}": 1 for n in range(3_000)}),
    "tasks of nothing": json.dumps({"name": "a", "tasks": [{}] * 16_000}),
    "tasks nobody knows": json.dumps(
        {"name": "a", "tasks": [{"id": f"aaaaaaaaaa{n}", "depends_on": [f"aaaaaaaaab{n}"]} for n in range(1_000)]}
    ),
    "a task that waits for thousands": json.dumps(
        {"name": "a", "tasks": [{**WAIT, "depends_on": [*(f"x{n}" for n in range(7_000)), "x6999"]}]}
    ),
    "a hundred tasks that wait for all": json.dumps(
        {"name": "a", "tasks": [{**WAIT, "id": f"t{n}", "depends_on": [f"t{m}" for m in range(n)]} for n in range(100)]}
    ),
    "braces": using("integer.wait", value="".join(f"{{{{{n:x}}}}}" for n in range(7_000))),
    "braces that never close": using("integer.wait", value="{{" * 30_000),
    "references in a text": using("integer.wait", value="{{item}}" * 7_000),
    "a reference of 30,000 parts": using("integer.wait", value="{{item" + ".a" * 30_000 + "}}"),
    "statuses": using("http.request", expected_status=[*({"a": 1} for _ in range(6_000)), "{{item}}"]),
    "expressions for headers": expecting(90, headers={f"h{n}": rf"\pL\pN{n}" for n in range(20)}),
    "JSONPaths": expecting(60, json_exists=[f"$[?match(@.a,'{n}')]..a[1:2:3].*" for n in range(20)]),
    "a JSONPath of brackets": expecting(20, json_exists=["$[?" + "(" * 490 + "@.a" + ")" * 490 + "]"]),
    "recipients": using("email.send", to=["a@" + "b." * 100 + "c"] * 200, subject="a", body="b"),
    "a statement of quotes": using("sql.query", connection="a", sql="'\"/*:a-- " * 6_000, parameters={}),
    "an image's name": using("container.run", image="a/" * 30_000),
    "a cron expression that never comes": of(schedule={"cron": "0 0 30 2 *"}),
    "a cron expression of lists": of(schedule={"cron": ",".join(["1-59/1"] * 28) + " * * * *"}),
    "the fifth Sunday of a February": of(schedule={"cron": "0 0 * 2 sun#5"}),
    "a time zone": of(schedule={"cron": "* * * * *", "timezone": "america/argentina/" * 3_000}),
    "a large definition": json.dumps(
        {
            "name": "a",
            "description": "d" * 3_900,
            "params": {"properties": {f"p{n}": {"type": "integer", "default": n} for n in range(100)}},
            "tasks": [{**WAIT, "id": f"t{n}", "inputs": {"value": f"{{{{params.p{n}}}}}"}} for n in range(100)],
        }
    ),
}

DOCUMENTS = {
    "a hexadecimal number": "v: 0x" + "f" * 60_000,
    "an octal number": "v: 0o" + "7" * 60_000,
    "a decimal number": "v: " + "9" * 60_000,
    "an exponent": "v: 1e999999999",
    "digits that are no number": "v: " + "1" * 60_000 + "x",
    "dots": "v: " + "1." * 30_000,
    "brackets": "[" * 60_000,
    "dashes": "- " * 30_000,
    "question marks": "? " * 30_000,
    "tags": "".join(f"%TAG !a{n}! t:\n" for n in range(4_000)) + "---\na: 1",
    "keys": "".join(f"a{n}: \n" for n in range(7_000)),
    "entries": "a: [" + "1," * 30_000 + "]",
    "empty lines": "a: '" + "\n" * 60_000 + "'",
    "escapes": 'a: "' + "\\x41" * 15_000 + '"',
    "comments": "# a\n" * 15_000,
}

WIDE = {f"p{n}": 1 for n in range(5_000)}
PARAMS: dict[str, tuple[Any, Any]] = {
    "nobody knows them": (
        {"additionalProperties": False, "properties": {f"aaaaaaaaq{n}": {} for n in range(900)}},
        {f"aaaaaaaap{n}": 1 for n in range(3_000)},
    ),
    "all are wrong": ({"properties": {"a": {"items": {"type": "string"}}}}, {"a": [1] * 20_000}),
    "a type without any": (None, WIDE),
    "many forms for one text": ({"properties": {"a": {"anyOf": [{"type": "integer"}] * 3_000}}}, {"a": "x" * 60_000}),
    "all forms for one text": ({"properties": {"a": {"allOf": [{"type": "integer"}] * 3_000}}}, {"a": "x" * 60_000}),
    "no form for one text": ({"properties": {"a": {"allOf": [False] * 9_000}}}, {"a": "x" * 60_000}),
    "many forms for many": (
        {"properties": {"a": {"items": {"anyOf": [{"type": "integer"}] * 2_500}}}},
        {"a": ["x"] * 9_000},
    ),
    "an enumeration": (
        {"properties": {"a": {"items": {"enum": [f"{n}" for n in range(6_000)]}}}},
        {"a": ["x"] * 9_000},
    ),
    "an enumeration of names": ({"propertyNames": {"enum": [f"q{n}" for n in range(5_000)]}}, WIDE),
    "a constant": ({"properties": {"a": {"items": {"const": list(range(9_000))}}}}, {"a": [[1]] * 9_000}),
    "entries that differ": ({"properties": {"a": {"uniqueItems": True}}}, {"a": [[{"a": n}] for n in range(5_000)]}),
    "entries to be found": ({"properties": {"a": {"contains": {"const": 1}}}}, {"a": ["x"] * 15_000}),
    "required": ({"required": [f"q{n}" for n in range(6_000)]}, {}),
    "required by each other": (
        {"dependentRequired": {f"p{n}": [f"q{m}" for m in range(40)] for n in range(200)}},
        {f"p{n}": 1 for n in range(200)},
    ),
    "patterns for names": (
        {"patternProperties": {f"^(x?){{50}}{n}$": {} for n in range(900)}, "additionalProperties": False},
        {f"x{n}" * 10: 1 for n in range(900)},
    ),
    "an expression that is slow in RE2": ({"properties": {"a": {"pattern": "a{1,450}a{1,450}b"}}}, {"a": "a" * 60_000}),
    "the same for many": (
        {"properties": {"a": {"allOf": [{"pattern": f"a{{1,450}}a{{1,450}}{n}"} for n in range(100)]}}},
        {"a": "a" * 60_000},
    ),
    "a pattern that backtracks": ({"properties": {"a": {"pattern": "^(a+)+$|^a+b$"}}}, {"a": "a" * 40 + "!"}),
    "the same, below a draft": (
        {"properties": {"a": {"$schema": DRAFT, "pattern": "^(a+)+$"}}},
        {"a": "a" * 40 + "!"},
    ),
    "the same, by a reference to a draft": (
        {"$schema": DRAFT, "properties": {"a": {"pattern": "^(a+)+$"}, "b": {"$ref": "#"}}},
        {"b": {"a": "a" * 40 + "!"}},
    ),
    "the same, in what was not evaluated": (
        {"patternProperties": {"^(a+)+$": {}}, "unevaluatedProperties": False},
        {"a" * 40 + "!": 1},
    ),
    "a default that is copied": (
        {
            "properties": {f"p{n}": {"$ref": "#/$defs/x"} for n in range(1_000)},
            "$defs": {"x": {"default": "x" * 25_000}},
        },
        {},
    ),
    "references that double": ({"properties": {"x": {"$ref": "#/$defs/d0"}}, "$defs": doubling(40)}, {"x": 1}),
    "a schema for deep params": (
        {"$defs": {"x": {"anyOf": [{"type": "integer"}, {"items": {"$ref": "#/$defs/x"}}] * 3}}, "$ref": "#/$defs/x"},
        {"a": nested(45, "[", "1", "]")},
    ),
    "small divisors": ({"properties": {"a": {"items": {"multipleOf": 5e-324}}}}, {"a": [1e308] * 5_000}),
    "large divisors": ({"properties": {"a": {"multipleOf": 10**400}}}, {"a": 0.5}),
    "large numbers": ({"properties": {"a": {"items": {"multipleOf": 0.1}}}}, {"a": [10**4_000] * 15}),
    "an address": ({"properties": {"a": {"format": "uri"}}}, {"a": "a://" + "[" * 60_000}),
    "colons": ({"properties": {"a": {"format": "ipv6"}}}, {"a": ":" * 60_000}),
    "dots": ({"properties": {"a": {"format": "hostname"}}}, {"a": "a." * 30_000}),
    "digits": ({"properties": {"a": {"format": "date-time"}}}, {"a": "1" * 60_000}),
    "at signs": ({"properties": {"a": {"format": "email"}}}, {"a": "@" * 60_000}),
    "2,000 objects that fit": (
        {"properties": {"x": {"items": {"properties": {k: {"type": "integer", "minimum": 0} for k in "abcd"}}}}},
        {"x": [{"a": n, "b": 1, "c": 2, "d": 3} for n in range(2_000)]},
    ),
}


@pytest.mark.parametrize("case", DEFINITIONS)
def test_a_definition_has_a_budget(checks: Checker, case: str) -> None:
    text = DEFINITIONS[case]
    assert len(text.encode()) <= 72 * 1024, "it would be refused by its size alone"
    cost = checks.cost("definition", text, JSON)
    assert within(cost), cost
    assert not fault(cost), cost


@pytest.mark.parametrize("case", DOCUMENTS)
def test_a_document_has_a_budget(checks: Checker, case: str) -> None:
    cost = checks.cost("definition", DOCUMENTS[case], YAML)
    assert within(cost), cost
    assert not fault(cost), cost


@pytest.mark.parametrize("case", PARAMS)
def test_params_have_a_budget(checks: Checker, case: str) -> None:
    cost = checks.cost("params", *PARAMS[case])
    assert within(cost), cost
    assert not fault(cost), cost


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"a": [n * 7 % 100 for n in range(20_000)]}, {"a": [n * 11 % 100 for n in range(20_000)]}),
        ({"a": [x for n in range(5_000) for x in (n, "u")]}, {"a": [x for n in range(5_000) for x in (n, "v")]}),
        ({"a": list(range(10_000))}, {"a": list(range(10_000, 0, -1))}),
        ({"a": "x\n" * 30_000}, {"a": "x\ny\n" * 15_000}),
    ],
    ids=["hundred kinds of lines", "every other line", "the other way round", "one line"],
)
def test_a_comparison_of_revisions_has_a_budget(checks: Checker, old: Any, new: Any) -> None:
    cost = checks.cost("diff", old, new)
    assert within(cost), cost
    assert not fault(cost), cost


# Own expressions and parsers, each with texts that come from people, servers or messages.
READERS = (
    "coinrequest.mail.html_text:plain_text",
    "coinrequest.mail.message:_ADDRESS.fullmatch",
    "coinrequest.mail.message:_CONTENT_TYPE.fullmatch",
    "coinrequest.jobtypes.durations:parse_duration",
    "coinrequest.jobtypes.references:split",
    "coinrequest.jobtypes.document:_plain_scalar",
    "coinrequest.jobtypes.schedule:check_cron",
    "coinrequest.jobtypes.formats:_is_host_name",
    "coinrequest.jobtypes.formats:_is_uri",
    "coinrequest.jobtypes.formats:_is_date_time",
    "coinrequest.patterns:compiled",
    "coinrequest.urltest.json_path:check",
    "coinrequest.urltest.json_path:_as_re2",
    "coinrequest.urltest.expectations:_ranges",
    "coinrequest.urltest.expectations:_CHARSET.search",
    "coinrequest.urltest.target:_AUTHORITY.fullmatch",
    "coinrequest.urltest.target:_HOST.fullmatch",
    "coinrequest.urltest.target:_NUMBER_AT_END.fullmatch",
    "coinrequest.urltest.target:_HOST_AND_PORT_ONLY.match",
    "coinrequest.actions.containers.images:_REGISTRY.fullmatch",
    "coinrequest.actions.containers.images:_REPOSITORY.fullmatch",
    "coinrequest.generator.reports:_CONTROLS.split",
    "coinrequest.channel.connection:without_password",
    "coinrequest.prices.price:_AMOUNT.fullmatch",
)
UNITS = (
    "a",
    "1",
    " ",
    "\n",
    "\t ",
    "<",
    "<a ",
    '<a b="',
    "<a href='",
    "</",
    "&",
    "a.",
    "1.",
    "a@",
    "a-",
    "a/",
    "{{",
    "}}",
)
UNITS = (
    *UNITS,
    "{{ a",
    "://:",
    "a:",
    ":b@",
    "\\",
    "[",
    "(",
    "é",
    "\x00",
    '"',
    "'",
    "1d",
    "0x",
    "-",
    "%41",
    "=?",
    "1-5,",
)
TEXTS = {unit: unit * (200_000 // len(unit)) for unit in UNITS}


@pytest.mark.parametrize("reader", READERS)
def test_a_reader_of_texts_takes_time_in_proportion(checks: Checker, reader: str) -> None:
    """Of 200,000 characters; in proportion to their square it would take minutes for one of the texts."""
    hostile = [form for text in TEXTS.values() for form in (text, f"{text}!", f"a@{text}", f"<a {text}>")]
    cost = checks.cost("texts", reader, hostile)
    assert cost.cpu < 10, cost
    assert cost.mebibytes <= 3 * MEBIBYTES, cost
    assert cost.outcome == "read", cost


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
        cost = checks.cost("definition", text, JSON)
        assert within(cost), (cost, text[:2_000])
        assert not fault(cost), (cost, text[:2_000])
        given = {"urls": ["https://example.org"] * 20, "more": {"a": {"a": 1}}, "x-a": "b", "mode": "fast"}
        cost = checks.cost("params", BASES[1]["params"], mutated(given, chance))
        assert within(cost), cost
        assert not fault(cost), cost
