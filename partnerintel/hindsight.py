"""Features of a past day as they were known then and as they are known now, for partners with late rows."""

from __future__ import annotations

import tempfile
from datetime import date
from functools import reduce
from pathlib import Path
from typing import Any

from data.lake import Lake
from features.settings import FeatureSettings

DATED = ("events", "deals", "certifications", "surveys")


def corrected_features(lake: Lake, *, day: date, settings: FeatureSettings) -> tuple[Any, Any] | None:
    """(as known then, as known now) for partners about whom rows on the time before `day` came after it.

    Both are built from these partners' rows alone, so that what is pooled over partners is the same in both.

    Args:
        lake: Canonical rows.
        day: A past date of features.
        settings: Feature settings.

    Returns:
        Two frames with partner_id and features; None when nothing came late.
    """
    import duckdb

    from features.build import build_features

    tables = {name: [str(p) for p in lake.paths(name)] for name in (*DATED, "partners") if lake.has(name)}
    with duckdb.connect() as connection, tempfile.TemporaryDirectory(prefix="partnerintel-") as folder:
        connection.execute("SET TimeZone = 'UTC'")
        late = " UNION ".join(
            f"SELECT partner_id FROM read_parquet({files}) WHERE {_came_late(day)}"
            for name, files in tables.items()
            if name != "partners"
        )
        if not late:
            return None
        connection.execute(f"CREATE TABLE late AS {late}")
        found = connection.execute("SELECT count(*) FROM late").fetchone()
        if found is None or not found[0]:
            return None
        built = []
        for name, known_at in (("then", "known_at"), ("now", _as_if_in_time(day))):
            paths = _written(connection, tables, Path(folder) / name, known_at)
            views = build_features(paths, as_ofs=[day], settings=settings)
            built.append(
                reduce(lambda a, b: a.merge(b, on=["partner_id", "as_of"], how="outer"), views.values())
            )
    return built[0], built[1]


def _came_late(day: date) -> str:
    return f"event_at < TIMESTAMP '{day}' AND known_at > TIMESTAMP '{day}'"


def _as_if_in_time(day: date) -> str:
    return f"CASE WHEN {_came_late(day)} THEN TIMESTAMP '{day}' ELSE known_at END"


def _written(
    connection: Any, tables: dict[str, list[str]], folder: Path, known_at: str
) -> dict[str, list[Path]]:
    folder.mkdir()
    paths = {}
    for name, files in tables.items():
        shown = "known_at" if name == "partners" else known_at
        target = folder / f"{name}.parquet"
        connection.execute(
            f"COPY (SELECT * REPLACE ({shown} AS known_at) FROM read_parquet({files}) "
            f"SEMI JOIN late USING (partner_id)) TO '{target}' (FORMAT parquet)"
        )
        paths[name] = [target]
    return paths
