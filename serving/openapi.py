"""The published OpenAPI document: FastAPI's, with our problems and the roles of the route table."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from serving import schemas
from serving.routes import ROUTES
from serving.routing.idempotency import MOST_LETTERS, PATTERN

IDEMPOTENCY = "Idempotency-Key"
TITLE = "Partner intelligence"
VERSION = "1"
ABOUT = (
    "Scores of partners with reasons that add up. Every score is a recorded decision that can be replayed. "
    "Errors are RFC 9457 problem details."
)


def document(app: FastAPI, *, horizons: Sequence[int]) -> dict[str, Any]:
    """The document.

    Args:
        app: The application; what does not change is made once for each.
        horizons: Horizons of the churn model in service: the customer sets them, so the document follows.
    """
    if app.openapi_schema is None:
        app.openapi_schema = _build(app)
    found = deepcopy(app.openapi_schema)
    query = found["paths"]["/v1/partners/{partner_id}/churn"]["get"]["parameters"]
    named = [p["schema"] for p in query if p["name"] == "horizons_days"]
    body = found["components"]["schemas"]["ChurnScoreRequest"]
    for schema in (*named, body["properties"]["horizons_days"]):
        schema["items"] = {"type": "integer", "enum": list(horizons)}
    body["examples"] = [{"partner_ids": ["A1"], "horizons_days": list(horizons), "max_reasons": 5}]
    return found


def _build(app: FastAPI) -> dict[str, Any]:
    found = get_openapi(title=TITLE, version=VERSION, description=ABOUT, routes=app.routes)
    components = found.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = _problem()
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    roles = {(r.path, r.method.lower()): r.roles for r in ROUTES}
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            allowed = roles.get((path, method))
            for given in operation.get("parameters", ()):
                if given["name"] == IDEMPOTENCY:
                    # Read as optional, so that its absence is our own 400 instead of a 422.
                    text = {"type": "string", "minLength": 1, "maxLength": MOST_LETTERS, "pattern": PATTERN}
                    given.update(required=True, schema=text)
            operation["security"] = [{"key": []}] if allowed else []
            if allowed:
                operation["description"] = f"Roles: {', '.join(sorted(allowed))}."
    return found


def _problem() -> dict[str, Any]:
    whole = schemas.ProblemShape.model_json_schema(ref_template="#/components/schemas/{model}")
    parts = whole.pop("$defs")
    whole["properties"]["errors"] = {"type": "array", "items": parts["FieldErrorShape"]}
    for optional in ("detail", "instance"):
        whole["properties"][optional] = {"type": "string"}
    return whole
