"""Decisions as they were made: features bit by bit, model, options, answer."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from data.errors import NotFoundError
from serving.auth import Identity
from serving.state import Database, iso
from serving.tables import DECISIONS, LAYOUTS

# Built once: building a statement costs SQLAlchemy several times as much as running it.
_ADD = insert(DECISIONS)
_ADD_LAYOUT = {
    is_sqlite: build(LAYOUTS).on_conflict_do_nothing()
    for is_sqlite, build in ((True, sqlite.insert), (False, postgresql.insert))
}
Value = float | str | None
Row = Mapping[str, Value]


@dataclass(frozen=True)
class Decision:
    """One score given.

    Attributes:
        decision_id: Its identifier.
        entity_id: Id columns of what was scored.
        model: Model name.
        model_version: Version that answered.
        manifest_sha256: Hash over that version's bundle.
        matrix_version: Feature matrix the row came from; None when the caller gave it.
        features_as_of: Time of the features; None when not stated.
        features: Every input of the model: float64 (NaN: missing), or text.
        options: What else went into the answer (horizons, reasons asked for, stale views, degraded).
        request: The caller's own fragment.
        response: The answer for this entity.
        kind: Who can make it again; `score` for a model's answer about one entity.
    """

    decision_id: str
    entity_id: Mapping[str, str]
    model: str
    model_version: str
    manifest_sha256: str
    matrix_version: str | None
    features_as_of: str | None
    features: Row
    options: Mapping[str, Any]
    request: Mapping[str, Any]
    response: Mapping[str, Any]
    kind: str = "score"

    @cached_property
    def text(self) -> str:
        """The answer as canonical JSON, worked out once."""
        return canonical(dict(self.response))


@dataclass(frozen=True)
class StoredDecision:
    """A decision with when and for whom it was made."""

    decision: Decision
    created_at: str
    owner: str


def canonical(value: Any) -> str:
    """JSON with one spelling for one value; floats as their shortest exact form."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def pack(row: Row) -> tuple[bytes, dict[str, str | None]]:
    """Numbers as little-endian float64 in the row's order, and texts by name.

    A text takes NaN's place among the numbers, so that positions stay.
    """
    numbers = [float("nan") if isinstance(v, str) or v is None else float(v) for v in row.values()]
    texts = {k: v for k, v in row.items() if isinstance(v, str) or v is None}
    return struct.pack(f"<{len(numbers)}d", *numbers), texts


def unpack(columns: Sequence[str], numbers: bytes, texts: Mapping[str, str | None]) -> dict[str, Value]:
    """Inverse of `pack`."""
    found: dict[str, Value] = dict(zip(columns, struct.unpack(f"<{len(columns)}d", numbers), strict=True))
    return {**found, **texts}


REFRESH_KEY = "refresh"
"""No key that anybody holds: what the nightly refresh decided."""
_ALIKE = ("entity_id", "owner", "kind", "model", "model_version", "manifest_sha256", "features_as_of",
          "layout_sha256", "numbers", "texts", "options", "request")  # fmt: skip


class DecisionLog:
    """Keeps decisions and gives them back.

    Args:
        database: State database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._layouts: set[str] = set()

    def record(self, decisions: Sequence[Decision], *, identity: Identity, at: datetime) -> None:
        """Store all of them in one transaction, or none."""
        if not decisions:
            return
        with self._database.write() as connection:
            layouts = self.record_within(connection, decisions, identity=identity, at=at)
        self.remember(layouts)

    def remember(self, layouts: set[str]) -> None:
        """Layouts that are stored for certain: they need not be written again."""
        self._layouts |= layouts

    def record_within(
        self, connection: Connection, decisions: Sequence[Decision], *, identity: Identity, at: datetime
    ) -> set[str]:
        """Store them in the caller's transaction; returns the layouts that are known once it is committed."""
        once = _Once()
        rows = [_as_row(d, once=once, identity=identity, at=at) for d in decisions]
        layouts = dict(once.layouts.values())
        for layout in sorted(set(layouts) - self._layouts):
            # Another worker may have written the same layout.
            given = {"layout_sha256": layout, "columns": layouts[layout]}
            connection.execute(_ADD_LAYOUT[self._database.is_sqlite], given)
        connection.execute(_ADD, rows if len(rows) > 1 else rows[0])
        return set(layouts)

    def read(
        self, decision_id: str, *, identity: Identity, sees: Callable[[Mapping[str, str]], bool] | None = None
    ) -> StoredDecision:
        """A decision of the caller's own; an admin may read all.

        Args:
            decision_id: Identifier.
            identity: The caller.
            sees: Of decisions the nightly refresh made: whether the caller sees what they are about.

        Raises:
            NotFoundError: There is none, or it is another's: the two cannot be told apart.
        """
        with self._database.read() as connection:
            query = select(DECISIONS, LAYOUTS.c.columns).join(
                LAYOUTS, LAYOUTS.c.layout_sha256 == DECISIONS.c.layout_sha256
            )
            row = connection.execute(query.where(DECISIONS.c.decision_id == decision_id)).mappings().first()
        mine = row is not None and (identity.role == "admin" or row["owner"] == identity.owner)
        if row is not None and not mine and row["key_id"] == REFRESH_KEY and sees is not None:
            mine = sees(json.loads(row["entity_id"]))
        if row is None or not mine:
            raise NotFoundError("There is no such decision.")
        return StoredDecision(_from_row(dict(row)), row["created_at"], row["owner"])

    def same(self, decision: Decision, *, identity: Identity) -> Mapping[str, Any] | None:
        """The answer of the caller's newest decision that is this one but for its id, if there is one.

        The matrix may have changed since: what counts is the row that was scored.
        """
        row = _as_row(decision, once=_Once(), identity=identity, at=datetime.min)
        c = DECISIONS.c
        alike = [c[n] == row[n] for n in _ALIKE]
        with self._database.read() as connection:
            query = select(c.decision_id, c.response).where(*alike).order_by(c.created_at.desc()).limit(1)
            found = connection.execute(query).first()
        if found is None:
            return None
        former: Mapping[str, Any] = json.loads(found.response)
        own = canonical(dict(decision.response)).replace(decision.decision_id, found.decision_id)
        return former if canonical(former) == own else None

    def count(self) -> int:
        """How many there are."""
        with self._database.read() as connection:
            return len(connection.execute(select(DECISIONS.c.decision_id)).all())


class _Once:
    """Rows of one call share columns and nearly always options: each is rendered once."""

    def __init__(self) -> None:
        self.layouts: dict[tuple[str, ...], tuple[str, str]] = {}
        self._options: dict[str, str] = {}

    def layout(self, columns: tuple[str, ...]) -> str:
        """Identity of a list of columns."""
        if columns not in self.layouts:
            text = canonical(columns)
            self.layouts[columns] = (hashlib.sha256(text.encode()).hexdigest(), text)
        return self.layouts[columns][0]

    def options(self, value: Mapping[str, Any]) -> str:
        """Canonical JSON of options."""
        key = repr(value)
        if key not in self._options:
            self._options[key] = canonical(dict(value))
        return self._options[key]


def _as_row(decision: Decision, *, once: _Once, identity: Identity, at: datetime) -> dict[str, Any]:
    numbers, texts = pack(decision.features)
    return {
        "decision_id": decision.decision_id,
        "created_at": iso(at),
        "owner": identity.owner,
        "key_id": identity.key_id,
        "entity_id": canonical(dict(decision.entity_id)),
        "model": decision.model,
        "model_version": decision.model_version,
        "manifest_sha256": decision.manifest_sha256,
        "matrix_version": decision.matrix_version,
        "features_as_of": decision.features_as_of,
        "layout_sha256": once.layout(tuple(decision.features)),
        "numbers": numbers,
        "texts": canonical(texts),
        "options": once.options(decision.options),
        "request": canonical(dict(decision.request)),
        "response": decision.text,
        "kind": decision.kind,
    }


def _from_row(row: Mapping[str, Any]) -> Decision:
    return Decision(
        decision_id=row["decision_id"],
        entity_id=json.loads(row["entity_id"]),
        model=row["model"],
        model_version=row["model_version"],
        manifest_sha256=row["manifest_sha256"],
        matrix_version=row["matrix_version"],
        features_as_of=row["features_as_of"],
        features=unpack(json.loads(row["columns"]), bytes(row["numbers"]), json.loads(row["texts"])),
        options=json.loads(row["options"]),
        request=json.loads(row["request"]),
        response=json.loads(row["response"]),
        kind=row["kind"],
    )
