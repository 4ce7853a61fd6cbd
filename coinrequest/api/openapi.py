"""The parts of the OpenAPI document that FastAPI cannot derive."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from coinrequest.jobtypes.definition import definition_schema

ETAG = {"ETag": {"schema": {"type": "string"}, "description": 'The revision, for `If-Match`: `"42"`'}}
LOCATION = {"Location": {"schema": {"type": "string"}, "description": "The address of the new resource"}}
YAML = {"application/yaml": {"schema": {"type": "string"}}}

_EXAMPLE = {
    "name": "url-check",
    "description": "Tests a page every quarter of an hour",
    "schedule": {"cron": "*/15 * * * *", "timezone": "Europe/Dublin"},
    "params": {
        "type": "object",
        "properties": {"url": {"type": "string", "default": "https://example.org"}},
        "additionalProperties": False,
    },
    "tasks": [{"id": "test", "action": "url.test", "inputs": {"url": "{{ params.url }}"}}],
}

_BODIES: set[type[BaseModel]] = set()
_DEFINITION = {"$ref": "#/components/schemas/Definition"}
DEFINITION_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The definition, at most 64 KiB",
        "content": {
            "application/json": {"schema": _DEFINITION, "example": _EXAMPLE},
            "application/yaml": {"schema": _DEFINITION, "example": _EXAMPLE},
        },
    }
}


def json_body(model: type[BaseModel], example: dict[str, Any], *, required: bool = True) -> dict[str, Any]:
    """Return the description of a body that is validated as `model`, and add the model to the components."""
    _BODIES.add(model)
    content = {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}, "example": example}
    return {
        "requestBody": {
            "required": required,
            "content": {"application/json": content, "application/yaml": content},
        }
    }


def install(app: FastAPI, *components: type[BaseModel]) -> None:
    """Make `app` serve a document that also has `components` and the models of all bodies."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                tags=app.openapi_tags,
            )
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            for model in sorted({*components, *_BODIES}, key=lambda model: model.__name__):
                schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
                schemas.update(schema.pop("$defs", {}))
                schemas[model.__name__] = schema
            schemas["Definition"] = _move_definitions(definition_schema(), schemas)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]


def _move_definitions(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the schema; move its local definitions to the document's components, under a prefix."""
    moved = _rename_references(schema)
    for name, part in moved.pop("$defs", {}).items():
        schemas[f"Definition_{name.strip('_')}"] = part
    moved.pop("$schema", None)
    moved.pop("$id", None)
    return dict(moved)


def _rename_references(value: Any) -> Any:
    if isinstance(value, list):
        return [_rename_references(part) for part in value]
    if not isinstance(value, dict):
        return value
    return {
        key: f"#/components/schemas/Definition_{part.removeprefix('#/$defs/').strip('_')}"
        if key == "$ref" and isinstance(part, str) and part.startswith("#/$defs/")
        else _rename_references(part)
        for key, part in value.items()
    }
