"""Training rows joined with the newest snapshot known at their time: one ASOF join for each view."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data.errors import InputError
from features.layout import CREATED

_ROW = "__row"
_LATEST = (
    f"max((as_of, {CREATED})) OVER (PARTITION BY partner_id ORDER BY seen, as_of, {CREATED} "
    "ROWS UNBOUNDED PRECEDING)"
)


def asof_join(entity_frame: Any, *, parts: Sequence[tuple[Sequence[Path], Sequence[str]]]) -> Any:
    """Add features to rows of (partner_id, as_of); rows, their order and their other columns stay.

    A snapshot row counts when both its own `as_of` and `created_at` are at or before the row's `as_of`: a
    snapshot that came late does not leak. Of those the newest `as_of` wins, then the newest `created_at`.

    Args:
        entity_frame: DataFrame with `partner_id` and `as_of` (naive UTC), any index.
        parts: For each view its snapshot files and the columns wanted from it.

    Raises:
        InputError: A column is missing, or a time is missing.
    """
    import duckdb

    _check(entity_frame)
    wanted = [c for _, columns in parts for c in columns]
    keys = entity_frame[["partner_id", "as_of"]].reset_index(drop=True)
    keys = keys.assign(as_of=keys["as_of"].astype("datetime64[us]"), **{_ROW: range(len(keys))})
    result = entity_frame.drop(columns=[c for c in wanted if c in entity_frame.columns])
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("entity_rows", keys)
        for files, columns in parts:
            if not columns:
                continue
            found = _joined(connection, files, columns)
            result = result.assign(**{c: found[c].to_numpy() for c in columns})
    return result


def _check(entity_frame: Any) -> None:
    missing = [c for c in ("partner_id", "as_of") if c not in entity_frame.columns]
    if missing:
        raise InputError(
            f"The frame has no column {missing[0]!r}.",
            allowed="a frame with partner_id and as_of",
            pointer=missing[0],
        )
    if entity_frame["as_of"].isna().any():
        raise InputError("A row has no as_of.", allowed="a date for every row", pointer="as_of")


def _joined(connection: Any, files: Sequence[Path], columns: Sequence[str]) -> Any:
    listed = ", ".join("'" + str(f).replace("'", "''") + "'" for f in files)
    picked = ", ".join(f'snap."{c}"' for c in columns)
    connection.execute(f"CREATE OR REPLACE TEMP VIEW snapshots AS FROM read_parquet([{listed}])")
    late = connection.execute(f"SELECT coalesce(bool_or({CREATED} > as_of), false) FROM snapshots").fetchall()
    snap = "(SELECT *, as_of AS seen FROM snapshots)"
    if late[0][0]:
        # What may be seen from a time on is what was the newest among all seen before: a running maximum
        # over the times at which rows came, so that an ASOF join can look it up.
        snap = f"""(SELECT * FROM (SELECT *, greatest(as_of, {CREATED}) AS seen FROM snapshots)
            QUALIFY (as_of, {CREATED}) = {_LATEST}
            AND row_number() OVER (PARTITION BY partner_id, seen ORDER BY as_of DESC, {CREATED} DESC) = 1)"""
    return connection.execute(
        f"SELECT {picked} FROM entity_rows AS rows ASOF LEFT JOIN {snap} AS snap "
        f"ON rows.partner_id = snap.partner_id AND rows.as_of >= snap.seen ORDER BY rows.{_ROW}"
    ).df()
