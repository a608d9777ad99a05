"""What routing looks at of all partners at one moment, kept by content so that decisions can be replayed.

A block joins the resident feature matrix with what only routing needs: territories, certificates, deals by
product, what partners did with earlier leads. Its version is the hash of its file; a decision names the
version, and the file is never overwritten.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from data.errors import NotFoundError
from features.leadhistory import HISTORY_COLUMNS, own_deals, partner_rates
from features.pairing import PartnerBlock, partner_block
from features.rosters import RosterTables, roster_columns
from models.routing.roster import Roster

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

    @cached_property
    def oldest(self) -> str | None:
        """Time of the features that are oldest."""
        return min(self.as_of, default=None)

    @property
    def partner_ids(self) -> tuple[str, ...]:
        """Ids in order."""
        return self.roster.partner_ids


def make_frame(
    matrix: Any, roster: RosterTables, *, deals: Any | None, offers: Any | None, now: datetime
) -> Any:
    """The frame of a block.

    Args:
        matrix: features.matrix.FeatureMatrix.
        roster: Where territories, certificates and ends come from.
        deals: Canonical rows, or None.
        offers: Of `features.leadhistory.offers_of`, or None.
        now: Naive UTC: nothing known later counts.
    """
    frame = roster_columns(matrix.frame, roster, as_of=now)
    if offers is not None:
        rates = partner_rates(offers, frame["partner_type"], as_of=now)
        frame[list(HISTORY_COLUMNS)] = rates[list(HISTORY_COLUMNS)]
    brought = own_deals(frame.index, deals, offers, as_of=now)
    if brought is not None:
        frame = frame.join(brought.rename(columns=lambda c: f"{PRODUCT}{c}"))
    times = matrix.features_as_of.astype("datetime64[s]").astype(str)
    return frame.assign(**{AS_OF: [f"{t}Z" for t in times]})


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
