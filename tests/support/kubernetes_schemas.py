"""The fields of the objects of `kubernetes/`, as Kubernetes and KEDA know them."""

from typing import Any

import jsonschema
import pytest

from support.kubernetes_objects import Manifest

_STRING = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


# No schema of KEDA comes with the checker. These are the fields that are used, as
# https://keda.sh/docs/latest/reference/scaledobject-spec/ and .../concepts/authentication/ describe them.
_POLICIES = {
    "type": "array",
    "items": _object(
        {
            "type": {"enum": ["Pods", "Percent"]},
            "value": {"type": "integer", "minimum": 1},
            "periodSeconds": {"type": "integer", "minimum": 1, "maximum": 1800},
        },
        "type",
        "value",
        "periodSeconds",
    ),
}
_RULES = _object({"stabilizationWindowSeconds": {**_COUNT, "maximum": 3600}, "policies": _POLICIES})
KEDA = {
    "ScaledObject": _object(
        {
            "scaleTargetRef": _object({"name": _STRING}, "name"),
            "minReplicaCount": _COUNT,
            "maxReplicaCount": _COUNT,
            "pollingInterval": _COUNT,
            "triggers": {
                "type": "array",
                "minItems": 1,
                "items": _object(
                    {
                        "type": {"const": "metrics-api"},
                        "metadata": _object(
                            {
                                "url": _STRING,
                                "format": {"enum": ["json", "xml", "yaml", "prometheus"]},
                                "valueLocation": _STRING,
                                "targetValue": {"type": "string", "pattern": r"^[0-9.]+$"},
                                "authMode": {"enum": ["apiKey", "basic", "tls", "bearer"]},
                            },
                            "url",
                            "valueLocation",
                            "targetValue",
                        ),
                        "authenticationRef": _object({"name": _STRING}, "name"),
                    },
                    "type",
                    "metadata",
                ),
            },
            "advanced": _object(
                {
                    "horizontalPodAutoscalerConfig": _object(
                        {"behavior": _object({"scaleUp": _RULES, "scaleDown": _RULES})}, "behavior"
                    )
                }
            ),
        },
        "scaleTargetRef",
        "triggers",
    ),
    "TriggerAuthentication": _object(
        {
            "secretTargetRef": {
                "type": "array",
                "items": _object({"parameter": _STRING, "name": _STRING, "key": _STRING}, "parameter", "name", "key"),
            }
        },
        "secretTargetRef",
    ),
}


def check_schema(document: Manifest, version: str) -> None:
    """Fail for a field that the version of Kubernetes does not know, or that has another type."""
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")
    if document["apiVersion"].startswith("keda.sh/"):
        assert document["apiVersion"] == "keda.sh/v1alpha1"
        jsonschema.validate(document["spec"], KEDA[document["kind"]])
    else:
        kubernetes_validate.validate(document, version, strict=True)
