"""One page that shows the contract: plain HTML from the OpenAPI document, no script, nothing from outside."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from html import escape
from typing import Any

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}"
    "h2{margin:2.5rem 0 .2rem;font-size:1.1rem}code,pre{font-family:ui-monospace,monospace;font-size:.9rem}"
    "pre{background:#f4f4f4;padding:.8rem;overflow:auto}"
)
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
PAGE_HEADERS = {
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; frame-ancestors 'none'"
}


def page(document: Mapping[str, Any]) -> str:
    """The page for an OpenAPI document."""
    info = document["info"]
    parts = [
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(info["title"])}</title>',
        f"<style>{STYLE}</style><h1>{escape(info['title'])}</h1><p>{escape(info['description'])}</p>",
        "<p>Machine-readable: <code>/openapi.json</code>.</p>",
    ]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            parts.append(_operation(path, method, operation))
    schemas = json.dumps(document["components"]["schemas"], indent=2, ensure_ascii=False)
    parts.append(f"<h2>Shapes</h2><pre>{escape(schemas)}</pre></html>")
    return "\n".join(parts)


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    codes = ", ".join(operation["responses"])
    described = operation.get("description", "Anyone.")
    return (
        f"<h2><code>{escape(method.upper())} {escape(path)}</code></h2>"
        f"<p>{escape(operation['summary'])}. {escape(described)} Answers: {escape(codes)}.</p>"
    )
