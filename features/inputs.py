"""What every view is built from: the dates, the partners known then, and the buckets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from features.buckets import Bucket
from features.settings import FeatureSettings
from features.source import Source
from features.windows import Grid, counted, live_since

KEYS = ("partner_id", "as_of")


@dataclass(frozen=True)
class Inputs:
    """Inputs of one build.

    Attributes:
        source: The canonical tables.
        grid: The dates.
        settings: Feature settings.
        base: partner_id, as_of of every row of the result, and what partners say of themselves.
        buckets: Bucket name to bucket, for the tables that exist.
    """

    source: Source
    grid: Grid
    settings: FeatureSettings
    base: Any
    buckets: Mapping[str, Bucket]
    _counted: dict[str, Any] = field(default_factory=dict, repr=False)

    def bucket(self, name: str) -> Bucket | None:
        """The bucket, or None when its table is absent."""
        return self.buckets.get(name)

    def counted(self, name: str) -> Any:
        """The rows of a bucket that count at some date; those of days are read often, so they are kept."""
        if name not in self._counted:
            rows = counted(self.buckets[name], self.grid)
            once = name.endswith("_days")
            self._counted[name] = self.source.keep(f"counted_{name}", rows) if once else rows
        return self._counted[name]

    def joined(self, *parts: Any, once: tuple[Any, ...] = ()) -> Any:
        """Every (partner, date) with the columns of the parts, missing where a part has no row.

        Args:
            *parts: Tables keyed by partner_id and as_of.
            once: One-row tables whose columns every row gets.
        """
        # One chain of joins under one selection: a selection after each join would grow the statement.
        rows, columns = self.base, [self.base[k] for k in KEYS]
        for place, part in enumerate(parts):
            own = {f"{k}_{place}": k for k in KEYS}
            part = part.rename(own)
            rows = rows.left_join(part, [rows[mine] == part[theirs] for theirs, mine in own.items()])
            columns += [c for c in part.columns if c not in own]
        for part in once:
            rows = rows.cross_join(part)
            columns += part.columns
        return rows.select(columns)

    def zero_if(self, rows: Any, column: str, live: str, *, scale: float = 1.0) -> Any:
        """A count: 0 where the source was live by then and nothing was counted, missing where it was not."""
        import ibis

        filled = rows[column].fill_null(0).cast("float64") / scale
        return (rows.as_of >= rows[live]).ifelse(filled, ibis.null().cast("float64"))

    def live(self, rows: Any, name: str) -> Any:
        """`live_since` for the spans of a small table."""
        return live_since(Bucket(rows, corrected=True), **{name: None})
