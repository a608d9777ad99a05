"""The published contract as data: bodies that fit its schemas, and fields of answers it does not name."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from tests.unit.serving.world import good_row

Document = Mapping[str, Any]
# Rows are loose in the document; these are their real shapes.
ROWS = {"/v1/fit/score": {"prospect_id": "P1", "country": "DE"}}
BATCHES = ("rows", "prospects")


def posts(document: Document) -> Iterator[tuple[str, dict[str, Any]]]:
    """Path and a body for each call that takes one."""
    for path, methods in document["paths"].items():
        content = methods.get("post", {}).get("requestBody", {}).get("content", {})
        if "application/json" in content:
            schema = content["application/json"]["schema"]
            yield path, _with_row(path, sample(schema, document))


def _with_row(path: str, body: dict[str, Any]) -> dict[str, Any]:
    for name in BATCHES:
        if name in body:
            body[name] = [ROWS.get(path, good_row())]
            body.pop("partner_ids", None)
    return body


def sample(schema: Mapping[str, Any], document: Document) -> Any:
    """A value with every member the schema names; formats are not looked at."""
    found = resolved(schema, document)
    for name in ("anyOf", "oneOf", "allOf"):
        if name in found and "properties" not in found:
            options = [s for s in found[name] if s.get("type") != "null"]
            return sample(options[0], document)
    if "const" in found or "enum" in found:
        return found.get("const", found.get("enum", [None])[0])
    kind = found.get("type", "object")
    if kind == "object":
        return {k: sample(s, document) for k, s in found.get("properties", {}).items()}
    if kind == "array":
        return [sample(found["items"], document)] if found.get("items") else []
    return {"string": "x", "integer": 1, "number": 1.0, "boolean": False}.get(kind)


def resolved(schema: Mapping[str, Any], document: Document) -> Mapping[str, Any]:
    """The schema a reference stands for."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def objects(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object inside, with its JSON pointer."""
    if isinstance(value, dict):
        yield path, value
        for key, inner in value.items():
            yield from objects(inner, f"{path}/{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from objects(inner, f"{path}/{number}")


def with_field(body: Any, pointer: str, name: str, value: Any) -> Any:
    """A copy with one more member in the object at a pointer."""
    changed = copy.deepcopy(body)
    next(o for p, o in objects(changed) if p == pointer)[name] = value
    return changed


def extras(value: Any, schema: Mapping[str, Any], document: Document, path: str = "") -> list[str]:
    """Pointers of members that the schema does not allow."""
    found = resolved(schema, document)
    options = found.get("anyOf") or found.get("oneOf")
    if options and "properties" not in found:
        fitting = [o for o in options if _is(value, resolved(o, document))]
        return min((extras(value, o, document, path) for o in fitting), key=len, default=[f"{path} (kind)"])
    if isinstance(value, dict):
        named, other = found.get("properties", {}), found.get("additionalProperties", True)
        told = [f"{path}/{k}" for k in value if k not in named and other is False]
        for key, inner in value.items():
            below = named.get(key) or (other if isinstance(other, dict) else {})
            told += extras(inner, below, document, f"{path}/{key}")
        return told
    if isinstance(value, list):
        items = found.get("items") or {}
        return [e for n, inner in enumerate(value) for e in extras(inner, items, document, f"{path}/{n}")]
    return []


def _is(value: Any, schema: Mapping[str, Any]) -> bool:
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float)}
    kind = schema.get("type")
    if kind == "null" or value is None:
        return kind == "null" and value is None
    return kind not in kinds or isinstance(value, kinds[kind])
