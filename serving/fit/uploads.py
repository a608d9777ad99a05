"""The multipart form of an upload: one file and a few words beside it, checked field by field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request

from serving.multipart import open_form
from serving.problems import FieldError, Problem, ProblemError, pointer

TEXTS = ("name", "motion", "mapping", "separator", "encoding", "sheet", "confirm")
MAX_TEXT, MAX_MAPPING = 200, 20_000
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
SCHEMA: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "additionalProperties": False,
                "properties": {
                    "file": {"type": "string", "format": "binary", "description": "CSV text or .xlsx"},
                    "name": {"type": "string", "maxLength": MAX_TEXT},
                    "motion": {"type": "string", "maxLength": MAX_TEXT},
                    "mapping": {
                        "type": "string",
                        "description": 'JSON object, field → column, such as {"name": "Firma"}.',
                    },
                    "separator": {"enum": sorted(SEPARATORS)},
                    "encoding": {"type": "string", "maxLength": 40},
                    "sheet": {"type": "string", "maxLength": MAX_TEXT},
                    "confirm": {"enum": ["true", "false"]},
                },
            }
        }
    },
}


@dataclass(frozen=True)
class Upload:
    """What was sent.

    Attributes:
        content: The file.
        filename: Its name.
        confirm: Whether to score at once.
        options: The other fields of `Lists.upload`.
    """

    content: bytes
    filename: str
    confirm: bool
    options: Mapping[str, Any]


async def read_upload(request: Request) -> Upload:
    """The form of a request.

    Raises:
        ProblemError: 400 when it cannot be read; 422 for a field that is unknown, doubled or faulty, or none.
    """
    async with open_form(request, fields=len(TEXTS), part_bytes=64 * 1024) as form:
        names = [name for name, _ in form.multi_items()]
        wrong = [FieldError(pointer([n]), "unknown field") for n in names if n not in (*TEXTS, "file")]
        wrong += [FieldError(pointer([n]), "given twice") for n in sorted(set(names)) if names.count(n) > 1]
        file = form.get("file")
        if not isinstance(file, UploadFile):
            wrong.append(FieldError("/file", "a file is needed"))
        texts = {n: form.get(n) for n in TEXTS}
        wrong += [
            FieldError(pointer([n]), "must be text") for n, v in texts.items() if isinstance(v, UploadFile)
        ]
        if wrong or not isinstance(file, UploadFile):
            raise ProblemError(Problem(422, "The form does not fit the contract.", tuple(wrong[:20])))
        content = await file.read()
        return _upload(content, file.filename or "upload", {n: v or None for n, v in texts.items()})


def _upload(content: bytes, filename: str, texts: Mapping[str, Any]) -> Upload:
    wrong: list[FieldError] = []
    for name, value in texts.items():
        most = MAX_MAPPING if name == "mapping" else MAX_TEXT
        if value is not None and (len(value) > most or "\x00" in value):
            wrong.append(FieldError(pointer([name]), f"must be text of at most {most} characters"))
    separator = texts["separator"]
    if separator is not None and separator not in SEPARATORS:
        wrong.append(FieldError("/separator", f"must be one of {', '.join(sorted(SEPARATORS))}"))
    confirm = texts["confirm"] or "false"
    if confirm not in ("true", "false"):
        wrong.append(FieldError("/confirm", "must be true or false"))
    mapping, fault = _mapping(texts["mapping"])
    wrong += [fault] if fault else []
    if wrong:
        raise ProblemError(Problem(422, "The form does not fit the contract.", tuple(wrong)))
    options = {
        "name": texts["name"] or "",
        "motion": texts["motion"],
        "mapping": mapping,
        "separator": SEPARATORS.get(separator) if separator else None,
        "encoding": texts["encoding"],
        "sheet": texts["sheet"],
    }
    return Upload(content, filename, confirm == "true", options)


def _mapping(text: str | None) -> tuple[dict[str, str] | None, FieldError | None]:
    if text is None:
        return None, None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None, FieldError("/mapping", "is not JSON")
    if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
        return None, FieldError("/mapping", "must be an object of column names by field")
    return value, None
