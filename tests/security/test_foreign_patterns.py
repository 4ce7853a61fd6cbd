"""Nothing that a person writes is ever matched by Python's `re`: a look at every line, and at Airflow's copy.

That no pattern which backtracks takes time is measured in `test_budgets.py`.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coinrequest.stack.layout import project_root

pytestmark = pytest.mark.security

PACKAGE = project_root() / "coinrequest"
FUNCTIONS = {"compile", "match", "search", "fullmatch", "sub", "subn", "split", "findall", "finditer"}
# Put together at run time, of constants of the module alone.
MADE_OF_CONSTANTS = {
    "jobtypes/document.py": 'rf"(?:{_number.pattern})\\Z"',
    "actions/sql/placeholders.py": '"|".join(alternatives)',
}
# Which module may touch what matches patterns, or builds what does.
ONLY_IN = {
    "re2": {"patterns.py"},
    "jsonschema": {"jobtypes/json_schema.py", "jobtypes/formats.py"},
    # An agent loads it before it forks.
    "jsonpath": {"urltest/json_path.py", "generator/warm_up.py"},
    "regex": set(),
    "sre_compile": set(),
    "fnmatch": set(),
}


def modules() -> Iterator[tuple[str, str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text()
        yield path.relative_to(PACKAGE).as_posix(), text, ast.parse(text)


def is_constant(node: ast.expr) -> bool:
    """Whether an expression is made of constants: literals, and names that are written as constants are."""
    match node:
        case ast.Constant():
            return True
        case ast.Name(id=name):
            return name == name.upper()
        case ast.JoinedStr(values=values):
            return all(map(is_constant, values))
        case ast.FormattedValue(value=value):
            return is_constant(value)
        case ast.BinOp(left=left, right=right):
            return is_constant(left) and is_constant(right)
        case ast.Call(func=ast.Attribute(value=value, attr="format"), args=[], keywords=keywords):
            return is_constant(value) and all(is_constant(keyword.value) for keyword in keywords)
    return False


def test_python_matches_constant_patterns_alone() -> None:
    found = 0
    for path, text, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "re":
                pytest.fail(f"{path}:{node.lineno}: import re whole, so that this test sees what is matched")
            if not (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "re"
                and node.func.attr in FUNCTIONS
            ):
                continue
            found += 1
            pattern = node.args[0]
            source = ast.get_source_segment(text, pattern)
            assert is_constant(pattern) or source == MADE_OF_CONSTANTS.get(path), f"{path}:{node.lineno}: {source}"
    assert found > 50


def test_only_one_module_each_touches_what_matches_patterns() -> None:
    for path, _text, tree in modules():
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            for name in names:
                allowed = ONLY_IN.get(name.partition(".")[0])
                assert allowed is None or path in allowed, f"{path}:{node.lineno} imports {name}"


def test_only_one_module_makes_params_for_airflow() -> None:
    makers = [
        path
        for path, _text, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith("airflow")
        and any(alias.name in {"Param", "ParamsDict"} for alias in node.names)
    ]
    assert makers == ["generator/params.py"]


def test_no_text_chooses_the_keywords_of_the_library() -> None:
    """Neither `$schema` nor a reference leads back to the library's own keywords, which match with `re`."""
    from coinrequest.jobtypes.json_schema import _OWN_KEYWORDS, _validator_type

    library = {"pattern", "patternProperties", "additionalProperties", "unevaluatedProperties", "unevaluatedItems"}
    assert library <= set(_OWN_KEYWORDS)
    draft = "https://json-schema.org/draft/2020-12/schema"
    for name in (draft, "http://json-schema.org/draft-07/schema#", "http://json-schema.org/draft-04/schema#"):
        validator: Any = _validator_type()({})
        assert type(validator.evolve(schema={"$schema": name})) is type(validator)


def test_the_library_matches_nowhere_else() -> None:
    """The functions of jsonschema that match by `re`, each replaced or out of reach: another one needs a look."""
    import jsonschema

    folder = Path(jsonschema.__file__).parent
    found = set()
    for path in folder.glob("*.py"):
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef) and any(
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "re"
                and node.attr in FUNCTIONS
                for node in ast.walk(function)
            ):
                found.add(function.name)
    assert found == {
        "patternProperties",
        "pattern",
        "find_additional_properties",
        "find_evaluated_property_keys_by_schema",
        # A format that is not among ours.
        "is_regex",
    }


SCHEMA = {
    "type": "object",
    "properties": {
        "a": {"type": "string", "pattern": "^(a+)+$", "format": "hostname", "minLength": 1, "title": "A"},
        "b": {"type": "array", "items": {"type": "string", "pattern": "^(a+)+$"}, "uniqueItems": True},
        "c": {"type": "object", "patternProperties": {"^(a+)+$": {}}, "additionalProperties": False},
        "d": {"anyOf": [{"pattern": "^(a+)+$"}, {"type": "integer"}]},
        "e": {"$ref": "#/$defs/e"},
        "f": {"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "integer"}},
        "g": {"type": "string", "format": "time"},
        "h": {"enum": ["x", "y"]},
        "i": {"type": ["string", "integer"]},
        "j": True,
        "k": {"type": "string", "format": "date-time", "examples": ["2030-01-31T08:00:00Z"]},
        "l": {"type": "integer", "multipleOf": 3, "minimum": 1, "default": 3},
    },
    "patternProperties": {"^(a+)+$": {}},
    "$defs": {"e": {"type": "string", "pattern": "^(a+)+$", "enum": ["x"]}},
}


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    from coinrequest.generator.params import airflow_params
    from coinrequest.jobtypes.definition import load_definition

    tasks = [{"id": "w", "action": "integer.wait", "inputs": {"value": 1}}]
    return airflow_params(load_definition({"name": "a", "params": SCHEMA, "tasks": tasks}))


def test_airflow_is_given_what_its_form_shows_and_no_pattern(shown: dict[str, Any]) -> None:
    assert "pattern" not in repr([param.schema for param in shown.values()])
    accepts_all = {"$schema", "$ref", "definitions"}
    assert {
        name: {key: value for key, value in param.schema.items() if key not in accepts_all}
        for name, param in shown.items()
    } == {
        "a": {"type": ["string", "null"], "minLength": 1, "title": "A"},
        "b": {"type": ["array", "null"], "items": {"type": "string"}},
        "c": {"type": ["object", "null"]},
        "d": {},
        "e": {"type": ["string", "null"], "enum": ["x", None]},
        "f": {"type": ["array", "null"]},
        "g": {"type": ["string", "null"]},
        "h": {"enum": ["x", "y", None]},
        "i": {"type": ["string", "integer", "null"]},
        "j": {},
        "k": {"type": ["string", "null"], "format": "date-time", "examples": ["2030-01-31T08:00:00Z"]},
        "l": {"type": "integer", "minimum": 1},
    }


def test_airflow_accepts_what_we_accept(shown: dict[str, Any]) -> None:
    from coinrequest.jobtypes.definition import load_definition
    from coinrequest.jobtypes.errors import ParamsInvalid
    from coinrequest.jobtypes.params import check_params

    tasks = [{"id": "w", "action": "integer.wait", "inputs": {"value": 1}}]
    definition = load_definition({"name": "a", "params": SCHEMA, "tasks": tasks})
    values = ["", "a", "x", 1, 3, 1.5, True, [], ["a"], ["a", 1], {}, {"aa": 1}, "10:00", "10:00:00", "10:00:00Z"]
    values += ["2030-01-31T08:00:00Z", "2030-01-31T08:00Z", "20300131T080000Z", "2030-W05-4T08:00Z", "2030-01-31"]
    values += ["2030-01-31t08:00:00.5z", "2030-01-31T08:00:00+01:00", "2030-02-30T08:00:00Z"]
    accepted = 0
    for name in shown:
        for value in values:
            try:
                check_params(definition, {name: value})
            except ParamsInvalid:
                continue
            accepted += 1
            assert shown[name].resolve(value) == value
        if shown[name].value is None:
            assert shown[name].resolve(None) is None, "an optional param that is absent"
    assert accepted > 40
