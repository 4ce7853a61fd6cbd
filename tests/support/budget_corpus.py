"""Definitions, documents and params that ask for more than anybody has."""

import json
from typing import Any

DRAFT = "https://json-schema.org/draft/2020-12/schema"
WAIT = {"id": "w", "action": "integer.wait", "inputs": {"value": 1}}


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
