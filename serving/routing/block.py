"""What routing looks at of all partners at one moment, kept by content so that decisions can be replayed.

A block joins the resident feature matrix with what only routing needs: territories, certificates, deals by
product, what partners did with earlier leads. Its version is the hash of its file; a decision names the
version, and the file is never overwritten.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import NotFoundError
from features.leadhistory import HISTORY_COLUMNS
from features.pairing import PartnerBlock, partner_block
from models.routing.roster import COLUMNS, Roster

PRODUCT = "deals of "
AS_OF = "features_as_of"
NEWEST = "newest.json"


@dataclass(frozen=True)
class Block:
    """N partners, sorted by id.

    Attributes:
        version: sha256 of the file.
        frame: Index partner_id: features of the matrix, history of leads, the roster's columns, a column
            `deals of <product>` for each product, and `features_as_of` as RFC 3339.
    """

    version: str
    frame: Any

    @cached_property
    def roster(self) -> Roster:
        """As the rules see it."""
        return Roster.of(self.frame)

    @cached_property
    def pairs(self) -> PartnerBlock:
        """As pairs see it."""
        columns = [c for c in self.frame.columns if c.startswith(PRODUCT)]
        deals = self.frame[columns].rename(columns=lambda c: c.removeprefix(PRODUCT)) if columns else None
        return partner_block(self.frame, deals)

    @cached_property
    def as_of(self) -> list[str]:
        """(N,) time of each partner's features."""
        return list(map(str, self.frame[AS_OF]))

    @property
    def partner_ids(self) -> tuple[str, ...]:
        """Ids in order."""
        return self.roster.partner_ids


@dataclass(frozen=True)
class LakeTables:
    """What a block takes from the lake; None where a table is not there.

    Attributes:
        partners: Canonical rows.
        territories: Canonical rows.
        certifications: Canonical rows.
        terminations: Canonical rows.
        deals: Canonical rows.
        assignments: Canonical rows.
    """

    partners: Any | None = None
    territories: Any | None = None
    certifications: Any | None = None
    terminations: Any | None = None
    deals: Any | None = None
    assignments: Any | None = None


def make_frame(matrix: Any, tables: LakeTables, *, now: datetime) -> Any:
    """The frame of a block.

    Args:
        matrix: features.matrix.FeatureMatrix.
        tables: Of the lake.
        now: Naive UTC: nothing known later counts.
    """
    from features.leadhistory import deals_by_product, offers_of, partner_rates

    frame = matrix.frame.copy()
    for name in COLUMNS:
        if name not in frame:
            frame[name] = np.nan if name in ("employee_count", "capacity_count") else None
    types = frame["partner_type"] if "partner_type" in frame else frame["tier"]
    if tables.assignments is not None:
        rates = partner_rates(offers_of(tables.assignments), types, as_of=now)
        frame[list(HISTORY_COLUMNS)] = rates[list(HISTORY_COLUMNS)]
    if tables.deals is not None:
        deals = deals_by_product(tables.deals, as_of=now).reindex(frame.index).fillna(0.0)
        frame = frame.join(deals.rename(columns=lambda c: f"{PRODUCT}{c}"))
    frame["domain"] = frame.index.map(_domains(tables.partners))
    frame["ended"] = frame.index.isin(_ended(tables.terminations, now=now))
    places, capacity = _territories(tables.territories, now=now)
    frame["territories"] = [json.dumps(places.get(p, [])) for p in frame.index]
    frame["capacity_count"] = [capacity.get(p, np.nan) for p in frame.index]
    held = _certificates(tables.certifications, now=now)
    frame["certifications"] = [json.dumps(held.get(p, [])) for p in frame.index]
    times = matrix.features_as_of.astype("datetime64[s]").astype(str)
    frame[AS_OF] = [f"{t}Z" for t in times]
    return frame


def block_of(frame: Any) -> tuple[Block, bytes]:
    """The block of a frame and the bytes of its file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    table = pa.Table.from_pandas(frame.rename_axis("partner_id").reset_index(), preserve_index=False)
    pq.write_table(table.replace_schema_metadata(None), buffer, compression="zstd")
    content = buffer.getvalue()
    # What is served is what the file says, so that a replay sees the same types.
    return Block(hashlib.sha256(content).hexdigest(), _read(content)), content


class Archive:
    """Blocks on disk, by version.

    Args:
        folder: Where; made when needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, Block] = {}

    def keep(self, block: Block, content: bytes, *, confirmed_at: datetime) -> None:
        """Keep a block as the newest; one that is there already is not written again."""
        from serving.lastknown import write_json

        path = self._path(block.version)
        if not path.is_file():
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._folder, prefix=".block.")
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        note = {"version": block.version, "confirmed_at": confirmed_at.isoformat()}
        write_json(self._folder / NEWEST, note)

    def newest(self) -> tuple[Block, datetime] | None:
        """The last block kept and when it was confirmed; None where there is none that can be used."""
        from serving.lastknown import read_json

        note = read_json(self._folder / NEWEST)
        if not isinstance(note, dict) or not {"version", "confirmed_at"} <= set(note):
            return None
        try:
            return self.read(note["version"]), datetime.fromisoformat(note["confirmed_at"])
        except (NotFoundError, ValueError, TypeError):
            return None

    def read(self, version: str) -> Block:
        """One block.

        Raises:
            NotFoundError: It is gone, or no longer what it was.
        """
        if version in self._read:
            return self._read[version]
        try:
            content = self._path(version).read_bytes()
        except OSError:
            content = b""
        if hashlib.sha256(content).hexdigest() != version:
            raise NotFoundError(
                f"The partner features {version[:12]} of this decision are gone or damaged.",
                next_step="Restore serving/routing/blocks from a backup.",
            )
        block = Block(version, _read(content))
        self._read = {version: block}
        return block

    def _path(self, version: str) -> Path:
        return self._folder / f"{Path(version).name}.parquet"


def _read(content: bytes) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    frame = pq.read_table(pa.BufferReader(content)).to_pandas().set_index("partner_id")
    for name in frame.columns:
        if frame[name].dtype.kind == "O" and frame[name].isna().all():
            frame[name] = frame[name].astype(object).where(frame[name].notna(), None)
    return frame.sort_index(kind="stable")


def _known(rows: Any, now: datetime) -> Any:
    """Rows that hold and are known by a moment, oldest first."""
    known = rows["known_at"].fillna(rows["event_at"]) if "event_at" in rows else rows["known_at"]
    use = known.isna() | (known <= now)
    if "event_at" in rows:
        use &= rows["event_at"] <= now
    order = [c for c in ("event_at", "known_at", "row_hash") if c in rows]
    return rows[use].sort_values(order, kind="stable")


def _domains(partners: Any) -> Mapping[str, str]:
    if partners is None:
        return {}
    last = partners.sort_values(["known_at", "row_hash"]).drop_duplicates("partner_id", keep="last")
    last = last[last["domain"].notna()]
    return dict(zip(last["partner_id"].astype(str), last["domain"].astype(str), strict=True))


def _ended(terminations: Any, *, now: datetime) -> set[str]:
    return set() if terminations is None else set(_known(terminations, now)["partner_id"].astype(str))


def _territories(rows: Any, *, now: datetime) -> tuple[dict[str, list[list[str]]], dict[str, float]]:
    """Partner → places, and partner → the greatest capacity of its territories."""
    places: dict[str, list[list[str]]] = {}
    capacity: dict[str, float] = {}
    if rows is None:
        return places, capacity
    held = _known(rows, now).drop_duplicates(["territory_id", "partner_id"], keep="last")
    for row in held.sort_values(["partner_id", "territory_id"]).to_dict("records"):
        partner = str(row["partner_id"])
        country, region = (_plain(row.get(n)) for n in ("country", "region"))
        places.setdefault(partner, []).append([country, region])
        count = row.get("capacity_count")
        if count is not None and str(count) not in ("<NA>", "nan"):
            capacity[partner] = max(capacity.get(partner, 0.0), float(count))
    return places, capacity


def _certificates(rows: Any, *, now: datetime) -> dict[str, list[str]]:
    """Partner → names of certificates that are valid."""
    found: dict[str, set[str]] = {}
    if rows is None:
        return {}
    held = _known(rows, now)
    valid = held[(held["expires_at"].isna() | (held["expires_at"] > now)) & held["name"].notna()]
    for partner, name in zip(valid["partner_id"].astype(str), valid["name"].astype(str), strict=True):
        found.setdefault(partner, set()).add(name)
    return {p: sorted(names) for p, names in found.items()}


def _plain(value: Any) -> str:
    return "" if value is None or value != value else str(value)
