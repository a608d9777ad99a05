"""A10: people who ask what is kept of them, and then to be forgotten; the sources are ingested once more."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from typer.testing import CliRunner

from partnerintel.cli import app
from tests.faults.harness import Outcome, judged
from tests.faults.target import served_product
from tests.functional.serving.conftest import CONFIG, Served, build_features
from tests.unit.serving.world import NOW

TITLE = "Of a person who is erased nothing comes back with the next ingest, and decisions verify as before"
QUICK, FULL = 2, 40  # people
SLOW = True
TABLES = """\
tables:
  contacts: {path: sources/contacts.csv}
  leads: {path: sources/leads.csv}
"""


@dataclass(frozen=True)
class Person:
    """Somebody with a row in each table, a faulty row, and a lead that was sent."""

    contact_id: str
    email: str
    name: str


def run(size: int) -> Outcome:
    """Everybody is exported, erased and ingested again; half of them asked for by their address."""
    people = [made(n) for n in range(size)]
    with served_product(config=CONFIG + TABLES, prepare=lambda root: sources(root, people)) as served:
        faults = list(forgotten(served, people))
    return judged(size, faults, f"{size} people: 0 residues after ingest and features, decisions identical")


def planted() -> Outcome:
    """The same with a list of the forgotten that forgets."""
    people = [made(0)]
    with (
        served_product(config=CONFIG + TABLES, prepare=lambda root: sources(root, people)) as served,
        patch("data.erasure.remember_erased", lambda root, keys: None),
    ):
        return judged(1, list(forgotten(served, people)), "")


def made(n: int) -> Person:
    """A person whose address and name stand nowhere else."""
    mark = secrets.token_hex(6)
    return Person(f"c{n}", f"{mark}@example.com", f"Zoë {mark.upper()}")


def sources(root: Path, people: list[Person]) -> None:
    """Tables as a CRM would give them; the second version of a row has the address in capitals."""
    build_features(root, now=NOW)
    folder = root / "sources"
    folder.mkdir()
    rows = ["contact_id,partner_id,full_name,email,role,event_at"]
    for p in people:
        rows += [f"{p.contact_id},P1,{p.name},{address},sales,2025-03-0{day}"
                 for day, address in ((1, p.email), (2, p.email.upper()))]  # fmt: skip
        rows.append(f"{p.contact_id},P1,{p.name},{p.email},sales,2025-03-04,too,many")
    (folder / "contacts.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    leads = [f"lead-{p.contact_id},A GmbH,{p.email},2025-03-05" for p in people]
    (folder / "leads.csv").write_text("\n".join(["lead_id,company,contact_email,event_at", *leads]) + "\n")


def forgotten(served: Served, people: list[Person]) -> Iterator[str]:
    """What is wrong after all of it."""
    root = served.workspace
    _command("ingest", "-w", root)
    decisions = {p.contact_id: _routed(served, p) for p in people}
    for n, person in enumerate(people):
        who = person.email if n % 2 else person.contact_id
        shown = json.loads(_command("person", "show", who, "-w", root))
        if {name: len(rows) for name, rows in shown["tables"].items()} != {"contacts": 2, "leads": 1}:
            yield f"the export of {who} has {shown['tables']}"
        if len(shown["leads_to_route"]) != 1 or not shown["quarantined_cells"]:
            yield f"the export of {who} lacks a routed lead or a quarantined cell"
        _command("person", "erase", who, "-w", root)
    _command("ingest", "-w", root)
    _command("features", "-w", root)
    for person in people:
        yield from _residues(root, person)
        found = served.call("GET", f"/v1/decisions/{decisions[person.contact_id]}").json()
        if found.get("replayed") != "identical":
            yield f"the decision of {person.contact_id} replays as {found.get('replayed')}"


def _routed(served: Served, person: Person) -> str:
    contact = {"email": person.email, "name": person.name}
    lead = {"lead_id": f"sent-{person.contact_id}", "company": "A GmbH", "country": "DE", "contact": contact}
    headers = {"idempotency-key": secrets.token_hex(8)}
    answer = served.call("POST", "/v1/leads/route", json=lead, headers=headers)
    return str(answer.json()["decision_id"])


def _residues(root: Path, person: Person) -> Iterator[str]:
    needles = {n.encode() for n in (person.email, person.email.upper(), person.name)}
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.parent != root / "sources":
            content = path.read_bytes()
            yield from (
                f"{path.relative_to(root)} names {person.contact_id}" for n in needles if n in content
            )


def _command(*arguments: Any) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exit_code:
        raise AssertionError(f"{arguments}: exit {result.exit_code}\n{result.output}\n{result.stderr}")
    return result.stdout
