"""`/openapi.json`: made from the same table as the routes, so that the two cannot differ. Source: OpenAPI 3.1."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from rota import __version__
from rota.http.routes import Endpoint

_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")


def document(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The description of these endpoints."""
    kinds = {id(kind): kind for e in endpoints for kind in (e.takes, e.gives) if _is_message(kind)}
    schemas, components = msgspec.json.schema_components(kinds.values(), ref_template="#/components/schemas/{name}")
    schema_of = dict(zip(kinds, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        path = _PARAMETER.sub(r"{\1}", endpoint.path)
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint, schema_of)
    problem = {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Rota", "version": __version__, "description": "Jobs for machines nobody can reach."},
        "paths": paths,
        "components": {
            "schemas": components | {"Problem": problem},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic"},
            },
        },
    }


def _is_message(kind: Any) -> bool:  # noqa: ANN401  (whatever an endpoint names)
    return kind is not None and kind is not bytes


def _operation(endpoint: Endpoint, schema_of: dict[int, dict[str, Any]]) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "Done"}
    if endpoint.gives is bytes:
        good["content"] = {"application/octet-stream": {}}
    elif endpoint.gives is not None:
        good["content"] = {"application/json": {"schema": schema_of[id(endpoint.gives)]}}
    problem = {
        "description": "A problem (RFC 9457)",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "responses": {str(endpoint.status if endpoint.gives else 204): good, "default": problem},
        "security": [{"bearer": []}, {"basic": []}] if endpoint.who else [],
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in _PARAMETER.findall(endpoint.path)
        ]
        + [
            {"name": name, "in": "query", "description": about, "schema": {"type": "string"}}
            for name, about in endpoint.queries.items()
        ],
    }
    if endpoint.takes is bytes:
        operation["requestBody"] = {"required": True, "content": {"application/octet-stream": {}}}
    elif endpoint.takes is not None:
        body = {"application/json": {"schema": schema_of[id(endpoint.takes)]}}
        operation["requestBody"] = {"required": True, "content": body}
    return operation
