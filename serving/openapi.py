"""What FastAPI does not find by itself for the services' OpenAPI documents."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

COMPONENTS = "#/components/schemas"


def describe(app: FastAPI, *models: type[BaseModel]) -> None:
    """Add models that no route returns. Say of parameters that they may be missing but are never null."""
    described = app.openapi

    def openapi() -> dict[str, Any]:
        document = described()
        _, found = models_json_schema(
            [(model, "serialization") for model in models], ref_template=f"{COMPONENTS}/{{model}}"
        )
        document.setdefault("components", {}).setdefault("schemas", {}).update(found["$defs"])
        for item in document["paths"].values():
            for operation in item.values():
                for parameter in operation.get("parameters", []):
                    parameter["schema"] = _never_null(parameter["schema"])
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # the way that FastAPI documents


def _never_null(schema: dict[str, Any]) -> dict[str, Any]:
    choices: list[dict[str, Any]] = [
        choice for choice in schema.get("anyOf", []) if choice != {"type": "null"}
    ]
    if len(choices) != 1:
        return schema
    return {name: value for name, value in schema.items() if name != "anyOf"} | choices[0]
