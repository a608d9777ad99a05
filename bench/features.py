"""Point-in-time features: the product against a hand-written daily-bucket query and a range join.

All three run in one process on the same Parquet file, and their answers are compared, feature by feature. The
hand-written query knows nothing of corrections (the data has none), which the product has to look for.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from features.bucket_store import stored_buckets
from features.build import assemble, build_features, build_view
from features.settings import EVENT_GROUPS, FeatureSettings
from features.source import open_source

FIRST_DAY = date(2022, 1, 1)
DAYS = 730
WINDOWS = {
    "login": (7, 30, 90, 180),
    "content": (30, 90),
    "email": (30, 90),
    "meeting": (90, 180),
    "all": (30, 90),
}
TYPES = ("portal_login", "portal_login", "portal_login", "content_download", "email_open", "email_open",
         "email_click", "meeting", "training_completed", "ticket_opened")  # fmt: skip


def generate(folder: Path, *, events: int, partners: int) -> dict[str, list[Path]]:
    """Events of two years, one in twenty known up to ten days late, and their partners."""
    types = ", ".join(f"'{t}'" for t in TYPES)
    rows = f"""
        SELECT 'e' || lpad(i::VARCHAR, 9, '0') AS event_id,
            'P' || lpad((hash(i) % {partners})::VARCHAR, 5, '0') AS partner_id,
            ([{types}])[1 + (hash(i + 1) % 10)::INT] AS event_type,
            'u' || ((hash(i) % {partners}) * 8 + hash(i + 2) % 8)::VARCHAR AS user_id,
            'portal' AS source, NULL::DOUBLE AS quantity,
            TIMESTAMP '{FIRST_DAY}' + to_seconds((i::DOUBLE / {events} * {DAYS} * 86400)::BIGINT) AS event_at,
            event_at + to_seconds(CASE WHEN hash(i + 3) % 20 = 0
                THEN (hash(i + 4) % 864000)::BIGINT ELSE 0 END) AS known_at,
            md5(i::VARCHAR) AS row_hash
        FROM range({events}) AS t(i)"""
    firms = f"""
        SELECT 'P' || lpad(i::VARCHAR, 5, '0') AS partner_id, 'x' AS row_hash,
            TIMESTAMP '1970-01-01' AS known_at
        FROM range({partners}) AS t(i)"""
    paths = {"events": [folder / "events.parquet"], "partners": [folder / "partners.parquet"]}
    with duckdb.connect() as connection:
        for sql, name in ((rows, "events"), (firms, "partners")):
            connection.sql(sql).write_parquet(str(paths[name][0]))
    return paths


def _groups(many: str) -> str:
    def types(group: str) -> str:
        return ", ".join(f"'{t}'" for t in EVENT_GROUPS[group])

    sums = [f"sum({many}) FILTER (event_type IN ({types(g)})) AS n_{g}" for g in WINDOWS if g != "all"]
    return ", ".join([*sums, f"sum({many}) AS n_all"])


def _counts(day: str, of: Callable[[str], str]) -> str:
    return ", ".join(
        f"coalesce(sum({of(g)}) FILTER ({day} >= as_of - {w}), 0)::DOUBLE AS {_name(g)}_count_{w}d"
        for g, windows in WINDOWS.items()
        for w in windows
    )


def _name(group: str) -> str:
    return "event" if group == "all" else group


PREPARED = """(SELECT partner_id, user_id, event_type, coalesce(quantity, 1) AS many,
    event_at::DATE AS event_day,
    known_at::DATE + (known_at > date_trunc('day', known_at))::INT AS known_day
    FROM read_parquet('{events}'))"""
RESULT = """
    SELECT partner_id, as_of, * EXCLUDE (partner_id, as_of, last_login, last_event),
        (as_of - last_login)::DOUBLE AS days_since_last_login,
        (as_of - last_event)::DOUBLE AS days_since_last_event,
        ln((login_count_30d + 1) / (login_count_90d / 3 + 1)) AS login_trend
    FROM sums LEFT JOIN active USING (partner_id, as_of) LEFT JOIN people USING (partner_id, as_of)
        LEFT JOIN recent USING (partner_id, as_of)
    ORDER BY as_of, partner_id"""


def hand_written(connection: Any, events: Path) -> Any:
    """Daily buckets as one would write them for this very data."""
    rows = PREPARED.format(events=events)
    key = "partner_id, event_day, known_day"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE days AS SELECT {key}, {_groups('many')} FROM {rows} GROUP BY ALL"
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE users AS SELECT DISTINCT {key}, user_id FROM {rows} "
        "WHERE user_id NOT NULL"
    )
    seen = "event_day < as_of AND known_day <= as_of"
    within = f"{seen} AND event_day >= as_of"
    return connection.sql(f"""
        WITH sums AS (SELECT partner_id, as_of, {_counts("event_day", lambda g: f"n_{g}")}
            FROM days JOIN dates ON {within} - 180 GROUP BY ALL),
        active AS (SELECT partner_id, as_of, count(*) FILTER (event_day >= as_of - 30) AS active_days_30d,
            count(*) AS active_days_90d
            FROM (SELECT partner_id, event_day, min(known_day) AS known_day FROM days GROUP BY ALL)
            JOIN dates ON {within} - 90 GROUP BY ALL),
        people AS (SELECT partner_id, as_of, count(*) FILTER (last_day >= as_of - 30) AS active_users_30d,
            count(*) AS active_users_90d
            FROM (SELECT partner_id, user_id, as_of, max(event_day) AS last_day
                FROM users JOIN dates ON {within} - 90 GROUP BY ALL) GROUP BY ALL),
        recent AS (SELECT partner_id, as_of, max(event_day) FILTER (n_login > 0) AS last_login,
            max(event_day) AS last_event FROM days JOIN dates ON {seen} GROUP BY ALL)
        {RESULT}""").df()


def range_join(connection: Any, events: Path) -> Any:
    """Raw events joined with every date whose windows they are in."""
    rows = PREPARED.format(events=events)
    seen = "event_day < as_of AND known_day <= as_of"

    def of(group: str) -> str:
        types = ", ".join(f"'{t}'" for t in EVENT_GROUPS.get(group, ()))
        return "many" if group == "all" else f"CASE WHEN event_type IN ({types}) THEN many END"

    return connection.sql(f"""
        WITH sums AS (SELECT partner_id, as_of, {_counts("event_day", of)},
                count(DISTINCT event_day) FILTER (event_day >= as_of - 30) AS active_days_30d,
                count(DISTINCT event_day) FILTER (event_day >= as_of - 90) AS active_days_90d,
                count(DISTINCT user_id) FILTER (event_day >= as_of - 30) AS active_users_30d,
                count(DISTINCT user_id) FILTER (event_day >= as_of - 90) AS active_users_90d
            FROM {rows} JOIN dates ON {seen} AND event_day >= as_of - 180 GROUP BY ALL),
        active AS (SELECT DISTINCT partner_id, as_of FROM sums), people AS (FROM active),
        recent AS (SELECT partner_id, as_of,
            max(event_day) FILTER (event_type = 'portal_login') AS last_login,
            max(event_day) AS last_event FROM {rows} JOIN dates ON {seen} GROUP BY ALL)
        {RESULT}""").df()


def product(paths: dict[str, list[Path]], as_ofs: Sequence[date]) -> Any:
    """The product's own build of the engagement view, from raw events, nothing kept from before."""
    return build_features(paths, as_ofs=as_ofs, settings=FeatureSettings(), views=["engagement"])[
        "engagement"
    ]


def product_with_buckets(paths: dict[str, list[Path]], as_ofs: Sequence[date], kept: Path) -> Any:
    """The nightly case: buckets on disk are up to date."""
    settings = FeatureSettings()
    with open_source(paths) as source:
        buckets = stored_buckets(kept, source, "events", settings=settings)
        return build_view("engagement", assemble(source, buckets, as_ofs=as_ofs, settings=settings))


def largest_difference(ours: Any, theirs: Any) -> float:
    """Over all features; infinite when a row or a missing value differs."""
    theirs = theirs.assign(as_of=theirs["as_of"].astype("datetime64[us]"))
    both = ours.merge(theirs, on=["partner_id", "as_of"], how="outer", suffixes=("", "_"), indicator=True)
    features = [c for c in ours.columns if c not in ("partner_id", "as_of")]
    # A partner without any event so far has no row in the peers' answers.
    both.loc[both["_merge"] == "left_only", [f"{c}_" for c in features]] = both.loc[
        both["_merge"] == "left_only", features
    ].to_numpy()
    counts = [c for c in features if "_count_" in c or c.startswith("active_")]
    both[[f"{c}_" for c in counts]] = both[[f"{c}_" for c in counts]].fillna(0)
    left, right = (both[[f"{c}{s}" for c in features]].to_numpy(dtype=float) for s in ("", "_"))
    if (np.isnan(left) != np.isnan(right)).any() or (both["_merge"] == "right_only").any():
        return float("inf")
    return float(np.nanmax(np.abs(left - right), initial=0.0))


def peak_mib(paths: dict[str, list[Path]], as_ofs: Sequence[date]) -> float:
    """Peak memory of a process that does nothing but the product's build."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return float(pool.apply(_build_alone, (paths, as_ofs)))


def _build_alone(paths: dict[str, list[Path]], as_ofs: Sequence[date]) -> float:
    product(paths, as_ofs)
    # Not getrusage: Linux hands the parent's peak on to a spawned child.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Wall and CPU seconds, and the result."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - wall, time.process_time() - cpu, result


def main(argv: Sequence[str] | None = None) -> None:
    """Print times, ratios and the largest difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--partners", type=int, default=5_000)
    parser.add_argument("--snapshots", type=int, default=18)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--no-range-join", action="store_true", help="leave the slow peer out")
    given = parser.parse_args(argv)
    as_ofs = [FIRST_DAY + timedelta(days=181 + 30 * i) for i in range(given.snapshots)]
    with tempfile.TemporaryDirectory() as folder:
        paths = generate(Path(folder), events=given.events, partners=given.partners)
        report(paths, as_ofs, given, kept=Path(folder) / "buckets")


def report(paths: dict[str, list[Path]], as_ofs: Sequence[date], given: Any, *, kept: Path) -> None:
    """Run everything, interleaved, and print the best of the repetitions."""
    with duckdb.connect(config={"threads": 2, "memory_limit": "4GB"}) as connection:
        days = ", ".join(f"(DATE '{d}')" for d in as_ofs)
        connection.execute(f"CREATE TEMP TABLE dates AS SELECT * FROM (VALUES {days}) AS t(as_of)")
        events = paths["events"][0]
        product_with_buckets(paths, as_ofs, kept)
        cases: dict[str, Callable[[], Any]] = {
            "product": lambda: product(paths, as_ofs),
            "hand-written buckets": lambda: hand_written(connection, events),
            "product, buckets kept": lambda: product_with_buckets(paths, as_ofs, kept),
        }
        if not given.no_range_join:
            cases["range join"] = lambda: range_join(connection, events)
        runs = [{name: timed(work) for name, work in cases.items()} for _ in range(given.repeat)]
    wall = {name: min(run[name][0] for run in runs) for name in cases}
    cpu = {name: min(run[name][1] for run in runs) for name in cases}
    ours = runs[0]["product"][2]
    print(f"{given.events:,} events, {given.partners:,} partners, {len(as_ofs)} dates, 19 features")
    for name in cases:
        gap = largest_difference(ours, runs[0][name][2])
        print(f"  {name:24s}{wall[name]:8.2f} s wall{cpu[name]:8.2f} s CPU   largest difference {gap:.1e}")
    _ratio("product / hand-written buckets", "product", "hand-written buckets", wall, cpu, goal="≤ 1.20")
    _ratio(
        "buckets kept / hand-written",
        "product, buckets kept",
        "hand-written buckets",
        wall,
        cpu,
        goal="≤ 1.20",
    )
    if "range join" in wall:
        _ratio("range join / product", "range join", "product", wall, cpu, goal="≥ 3 at 10 M, ≥ 5 at 50 M")
    print(f"  peak memory of the product {peak_mib(paths, as_ofs):,.0f} MiB (goal < 1,536)")


def _ratio(
    title: str, above: str, below: str, wall: dict[str, float], cpu: dict[str, float], *, goal: str
) -> None:
    """CPU beside wall: on a busy machine only the former says something."""
    print(
        f"  {title:32s}{wall[above] / wall[below]:6.2f} wall{cpu[above] / cpu[below]:6.2f} CPU (goal {goal})"
    )


if __name__ == "__main__":
    main()
