"""What was written down elsewhere, for people to read: reports, promotions, decisions, checks, audit rows."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from data.errors import NotFoundError
from serving.auth import Identity
from serving.lastknown import read_json
from serving.state import Database
from serving.tables import AUDIT_LOG, DECISIONS

RECENT = 50
MOST_BAD_ROWS = 500
RECENT_LEADS = 12
_NAME = re.compile(r"[A-Za-z0-9_]{1,80}")
_MODEL = re.compile(r"[A-Za-z0-9_]{1,60}(\.[A-Za-z0-9_-]{1,60})?")
_QUARANTINE = re.compile(r"(?P<table>[a-z_]+)-(?P<at>\d{8}T\d{6})Z")


@dataclass(frozen=True)
class Quarantine:
    """One file of bad rows.

    Attributes:
        name: File name without its suffix.
        table: Canonical table.
        at: When it was written, ISO text.
        size: Bytes.
    """

    name: str
    table: str
    at: str
    size: int


class Records:
    """Reads a workspace's records; what is not there is empty, not an error.

    Args:
        workspace: Folder of the workspace.
        database: State database.
    """

    def __init__(self, workspace: Path, database: Database) -> None:
        self._root, self._database = workspace, database

    def report(self, model: str, version: str) -> Mapping[str, Any] | None:
        """The stored evaluation of one version."""
        if not (_MODEL.fullmatch(model) and _NAME.fullmatch(version)):
            return None
        found = read_json(self._root / "reports" / model / f"{version}.json")
        return found if isinstance(found, dict) else None

    def drift(self, model: str) -> Mapping[str, Any] | None:
        """The newest comparison of what a model learnt from with what it sees now."""
        if not _MODEL.fullmatch(model):
            return None
        found = read_json(self._root / "reports" / model / "drift.json")
        return found if isinstance(found, dict) and "features" in found else None

    def versions(self, model: str) -> list[str]:
        """Versions with a report, newest first."""
        folder = self._root / "reports" / model
        if not _MODEL.fullmatch(model) or not folder.is_dir():
            return []
        numbers = [p.stem for p in folder.glob("*.json") if p.stem.isdigit()]
        return sorted(numbers, key=int, reverse=True)

    def promotions(self, model: str) -> Sequence[Mapping[str, Any]]:
        """Every promotion of a model, newest first."""
        path = self._root / "registry.db"
        # Opening would make an empty registry where there is none.
        if not path.is_file():
            return []
        from models.ledger import Ledger

        found = sorted(Ledger(path).promotions(model), key=lambda p: str(p["promoted_at"]))
        return found[::-1]

    def decisions(self, identity: Identity) -> list[Mapping[str, Any]]:
        """The newest decisions the caller may replay: its own, or all for an administrator."""
        columns = (DECISIONS.c.decision_id, DECISIONS.c.created_at, DECISIONS.c.owner, DECISIONS.c.entity_id,
                   DECISIONS.c.model, DECISIONS.c.model_version, DECISIONS.c.kind)  # fmt: skip
        # Identifiers sort by time, and they are the primary key: no other index is needed.
        query = select(*columns).order_by(DECISIONS.c.decision_id.desc()).limit(RECENT)
        if identity.role != "admin":
            query = query.where(DECISIONS.c.owner == identity.owner)
        with self._database.read() as connection:
            rows = [dict(r) for r in connection.execute(query).mappings()]
        return [{**r, "entity": ", ".join(json.loads(r["entity_id"]).values())} for r in rows]

    def health_lines(self, partner_ids: Sequence[str]) -> dict[str, list[float]]:
        """Health points of some partners over time, oldest first."""
        from serving.health.tables import HEALTH_HISTORY

        c = HEALTH_HISTORY.c
        query = select(c.partner_id, c.points).where(c.partner_id.in_(partner_ids)).order_by(c.as_of)
        found: dict[str, list[float]] = {}
        with self._database.read() as connection:
            for partner_id, points in connection.execute(query):
                found.setdefault(partner_id, []).append(points)
        return found

    def policy_reports(self) -> list[Mapping[str, Any]]:
        """Judgements of routing policies by the log, the newest version first."""
        found = [read_json(p) for p in sorted((self._root / "reports" / "policy").glob("*-log.json"))]
        known = [r for r in found if isinstance(r, dict) and "policy_value" in r]
        return sorted(known, key=lambda r: (-int(r["policy"]), -int(r["against"])))

    def lead(self, lead_id: str) -> dict[str, str] | None:
        """A lead of the lake by its identifier, as text, without what names a person."""
        rows = [r for r in self._leads() if str(r["lead_id"]) == lead_id]
        return _lead(rows[-1]) if rows else None

    def recent_leads(self) -> list[dict[str, str]]:
        """The newest leads of the lake, to be picked from."""
        return [_lead(r) for r in self._leads()[-RECENT_LEADS:][::-1]]

    def _leads(self) -> list[dict[str, Any]]:
        from data.lake import Lake

        lake = Lake(self._root / "lake")
        if not lake.has("leads"):
            return []
        rows = lake.read("leads").sort_values("event_at", kind="stable")
        found: list[dict[str, Any]] = rows.to_dict("records")
        return found

    def audit(self, *, offset: int, limit: int, action: str = "") -> list[Mapping[str, Any]]:
        """Rows of the audit log, newest first; all kinds unless one is named."""
        rows = select(AUDIT_LOG).order_by(AUDIT_LOG.c.seq.desc()).offset(offset).limit(limit)
        if action:
            rows = rows.where(AUDIT_LOG.c.action == action)
        with self._database.read() as connection:
            return [{**r, "detail": json.loads(r["detail"])} for r in connection.execute(rows).mappings()]

    def audit_count(self, action: str = "") -> int:
        """How many rows there are."""
        count = select(func.count()).select_from(AUDIT_LOG)
        if action:
            count = count.where(AUDIT_LOG.c.action == action)
        with self._database.read() as connection:
            return int(connection.execute(count).scalar_one())

    def audit_actions(self) -> list[str]:
        """The kinds of rows there are."""
        with self._database.read() as connection:
            return sorted(connection.execute(select(AUDIT_LOG.c.action).distinct()).scalars())

    def ingest(self) -> Mapping[str, Any] | None:
        """What the newest ingest found."""
        found = read_json(self._root / "checks" / "ingest.json")
        return found if isinstance(found, dict) else None

    def quarantines(self) -> list[Quarantine]:
        """Files of bad rows, newest first."""
        folder = self._root / "lake" / "quarantine"
        if not folder.is_dir():
            return []
        found = []
        for path in folder.glob("*.csv"):
            match = _QUARANTINE.fullmatch(path.stem)
            if match:
                at = match["at"]
                text = f"{at[:4]}-{at[4:6]}-{at[6:8]}T{at[9:11]}:{at[11:13]}:{at[13:15]}"
                found.append(Quarantine(path.stem, match["table"], text, path.stat().st_size))
        return sorted(found, key=lambda q: (q.at, q.table), reverse=True)

    def bad_rows(self, name: str) -> tuple[Quarantine, list[Mapping[str, str]]]:
        """The first bad rows of a file.

        Raises:
            NotFoundError: There is no such file.
        """
        known = next((q for q in self.quarantines() if q.name == name), None)
        if known is None:
            raise NotFoundError("There is no such quarantine file.")
        path = self._root / "lake" / "quarantine" / f"{known.name}.csv"
        with path.open(encoding="utf-8", newline="") as file:
            return known, list(islice(csv.DictReader(file), MOST_BAD_ROWS))


def _lead(row: Mapping[str, Any]) -> dict[str, str]:
    names = ("lead_id", "company", "domain", "country", "region", "city", "industry", "products")
    found = {n: _text(row.get(n)) for n in names}
    employees, value = _text(row.get("employee_count")), row.get("estimated_value_usd")
    known = value is not None and value == value
    return {**found, "employee_count": employees, "value": f"{value:.0f}" if known else ""}


def _text(value: Any) -> str:
    # pandas has three ways to say that nothing is there; none of them is equal to itself, or it is NA.
    return "" if value is None or str(value) in ("<NA>", "nan", "NaT") else str(value)
