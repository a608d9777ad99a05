"""Every example of docs/reference/http.md, run against the served process."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from serving.routes import ROLES, ROUTES
from tests.functional.serving.conftest import Served

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "http.md"
EXAMPLE = re.compile(
    r"```http\n(?P<method>\w+) (?P<path>\S+)\n(?P<body>.*?)```\n\n```json\n(?P<answer>.*?)```", re.DOTALL
)
KINDS: dict[str, type | tuple[type, ...]] = {"<number>": (int, float), "<text>": str, "<flag>": bool}


def examples() -> list[re.Match[str]]:
    return list(EXAMPLE.finditer(PAGE.read_text()))


def fits(shown: Any, real: Any, at: str = "") -> None:
    """`<any>`, `<text>`, `<number>`, `<flag>` stand for values; `...` ends a list that may go on."""
    if shown == "<any>":
        return
    if isinstance(shown, str) and shown in KINDS:
        assert isinstance(real, KINDS[shown]), (at, real)
    elif isinstance(shown, dict):
        assert isinstance(real, dict), (at, real)
        assert set(shown) == set(real), at
        for key, value in shown.items():
            fits(value, real[key], f"{at}/{key}")
    elif isinstance(shown, list):
        closed = "..." not in shown
        wanted = [v for v in shown if v != "..."]
        assert len(real) == len(wanted) if closed else len(real) >= len(wanted), (at, real)
        for i, value in enumerate(wanted):
            fits(value, real[i], f"{at}/{i}")
    else:
        assert shown == real, at


@pytest.mark.parametrize("example", examples(), ids=lambda e: f"{e['method']} {e['path']}")
def test_the_example_is_what_the_service_answers(served: Served, example: re.Match[str]) -> None:
    path = example["path"]
    if "{decision_id}" in path:
        made = served.call("GET", "/v1/partners/P0/churn").json()["churn_probability"]["30"]["decision_id"]
        path = path.replace("{decision_id}", made)
    more = {"json": json.loads(example["body"])} if example["body"].strip() else {}
    fits(json.loads(example["answer"]), served.call(example["method"], path, **more).json())


def test_the_page_has_all_the_examples_and_the_pattern_finds_them() -> None:
    assert len(examples()) == PAGE.read_text().count("```http") == 12


def test_the_roles_of_every_route_are_on_the_page() -> None:
    section = PAGE.read_text().split("## Who may call what")[1].split("\n## ")[0]
    rows = [line.split("|") for line in section.splitlines() if line.startswith("| `")]
    listed = {}
    for row in rows:
        roles = {"anyone": None, "all four": frozenset(ROLES)}.get(
            row[2].strip(), frozenset(row[2].strip().split(", "))
        )
        for route in re.findall(r"`([A-Z]+ [^`]+)`", row[1]):
            listed[route] = roles
    assert listed == {f"{r.method} {r.path}": r.roles for r in ROUTES if not r.page}
