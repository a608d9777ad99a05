"""F9: nights killed with SIGKILL, while a workspace that serves is brought up to date and trained anew."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from data.lake import Lake
from data.simulate import simulate, write
from features.catalog import VIEWS, view
from features.layout import CREATED, saved_as_ofs, snapshot_path
from features.matrix import load_matrix
from features.settings import FeatureSettings
from features.store import FeatureStore
from models.bundle import load_bundle
from models.registry import Registry, RegistrySettings
from tests.faults.harness import FOLDER, Outcome, judged

TITLE = (
    "A night that is killed leaves the old state or the new, and the next night ends as if it had not been"
)
SLOW = True
LIMIT_SECONDS = 2400  # forty nights, each in processes of its own
QUICK, FULL = 3, 20
BEFORE, AFTER = date(2024, 9, 1), date(2024, 10, 5)
SECTIONS = "training: {trials: 0}\nevaluation: {origins: 1, replicates: 50, simulated: true}\n"
TABLES = ("partners", "deals", "events")  # churn learns from these; other models are nights of their own
MOST_SECONDS_AFTER_A_LINE = 0.6


@dataclass(frozen=True)
class State:
    """What a workspace holds, as far as it must be one thing or the other."""

    lake: str
    online: date | None
    champion: str | None
    candidate: str | None


def run(size: int) -> Outcome:
    """Kill at lines of progress spread over the night, and a little after them."""
    with tempfile.TemporaryDirectory() as folder:
        home, (old, new, lines) = Path(folder), prepared(Path(folder))
        faults, seen = [], {"old": 0, "between": 0, "new": 0}
        for k in range(size):
            at = lines[round(k * (len(lines) - 1) / max(size - 1, 1))]
            root = copied(home / "before", home / f"try-{k}")
            kill_at(root, at, delay=random.Random(k).uniform(0, MOST_SECONDS_AFTER_A_LINE))
            found = list(torn(root, old, new))
            seen[stage(root, old, new)] += 1
            finish(root)
            if (state := state_of(root)) != new:
                found.append(f"the next night ended with {state}, not {new}")
            faults += [f"killed at {at!r}: {fault}" for fault in [*found, *torn(root, new, new)]]
            shutil.rmtree(root)
    told = ", ".join(f"{count} × {name}" for name, count in seen.items() if count)
    return judged(size, faults, f"{size} nights killed ({told}), 0 torn, all ended by the next")


def planted() -> Outcome:
    """A file cut short, as a writer that replaces nothing but writes in place would leave it."""
    with tempfile.TemporaryDirectory() as folder:
        home, (old, new, _) = Path(folder), prepared(Path(folder), after=False)
        root = home / "before"
        newest = snapshot_path(root / "features", "deals", BEFORE)
        newest.write_bytes(newest.read_bytes()[:-100])
        return judged(1, list(torn(root, old, new)), "")


def prepared(home: Path, *, after: bool = True) -> tuple[State, State, list[str]]:
    """A workspace after one night, with the deliveries of the next; both states, and the lines between."""
    root = home / "before"
    world = simulate("analytic", partners=90, seed=7, start=date(2023, 9, 1), end=AFTER)
    config = write(world, root)
    mapping = yaml.safe_load(config.read_text())
    mapping["tables"] = {name: mapping["tables"][name] for name in TABLES}
    config.write_text(yaml.safe_dump(mapping) + SECTIONS)
    deliver(root, until=BEFORE, keep=home / "raw")
    night(root, BEFORE)
    old = state_of(root)
    shutil.copytree(home / "raw", root / "raw", dirs_exist_ok=True)
    if not after:
        return old, old, []
    reference = copied(root, home / "reference")
    lines = night(reference, AFTER)
    return old, state_of(reference), lines


def deliver(root: Path, *, until: date, keep: Path) -> None:
    """Leave only what was known by a day; the whole delivery is kept aside."""
    shutil.copytree(root / "raw", keep)
    for path in (root / "raw").glob("*.parquet"):
        rows = pd.read_parquet(path)
        for column in ("event_at", "known_at"):
            if column in rows.columns:
                rows = rows[rows[column].isna() | (rows[column] < pd.Timestamp(until))]
        rows.to_parquet(path, index=False)


def copied(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    return target


def started(root: Path, day: date) -> subprocess.Popen[str]:
    now = datetime(day.year, day.month, day.day, 2, 30)
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", str(FOLDER / "night.py"), str(root), now.isoformat()],
        env={**os.environ, "PYTHONPATH": str(FOLDER.parents[1])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def night(root: Path, day: date) -> list[str]:
    """A whole night; the lines of its progress, without times."""
    with started(root, day) as process:
        assert process.stderr is not None
        told = process.stderr.read().splitlines()
    if process.returncode != 0:
        raise RuntimeError("\n".join(told[-20:]))
    return list(dict.fromkeys(line for text in told if (line := step(text))))


def finish(root: Path) -> None:
    night(root, AFTER)


def step(line: str) -> str:
    """`train churn: fit` of a line of progress; empty for other lines."""
    title, found, rest = line.partition("%")
    return f"{title[:-4].strip()}: {rest.split(' s  ', 1)[1]}" if found and " s  " in rest else ""


def kill_at(root: Path, line: str, *, delay: float) -> None:
    """SIGKILL once the line was printed and a moment has passed."""
    with started(root, AFTER) as process:
        assert process.stderr is not None
        for said in process.stderr:
            if step(said.rstrip()) == line:
                break
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.stderr.read()


def state_of(root: Path) -> State:
    store = FeatureStore(FeatureSettings(), root)
    noted = store.materialised()
    registry = Registry(RegistrySettings(root=root))
    champion, versions = registry.champion("churn"), registry.versions("churn")
    return State(
        Lake(root / "lake").version(),
        noted[0] if noted else None,
        champion.manifest_sha256 if champion else None,
        versions[-1].manifest_sha256 if versions else None,
    )


def stage(root: Path, old: State, new: State) -> str:
    found = state_of(root)
    return "old" if found == old else "new" if found == new else "between"


def torn(root: Path, old: State, new: State) -> Iterator[str]:
    """What is neither old nor new."""
    for check in (_torn_state, _torn_snapshots, _torn_online, _torn_models):
        try:
            yield from check(root, old, new)
        except Exception as error:
            yield f"{check.__name__}: {type(error).__name__}: {error}"


def _torn_state(root: Path, old: State, new: State) -> Iterator[str]:
    found = state_of(root)
    for name in ("lake", "online", "champion", "candidate"):
        if getattr(found, name) not in (getattr(old, name), getattr(new, name)):
            yield f"{name} is {getattr(found, name)}"
    lake = Lake(root / "lake")
    for table in TABLES:
        if len(pd.concat([pd.read_parquet(p) for p in lake.paths(table)])) != lake.rows(table):
            yield f"{table} has other rows than its manifest says"


def _torn_snapshots(root: Path, *_: State) -> Iterator[str]:
    """Every snapshot can be read, and holds each partner once."""
    for name in VIEWS:
        for as_of in saved_as_ofs(root / "features", views=[name]):
            if (
                pd.read_parquet(snapshot_path(root / "features", name, as_of))["partner_id"]
                .duplicated()
                .any()
            ):
                yield f"{name} of {as_of} repeats partners"


def _torn_online(root: Path, *_: State) -> Iterator[str]:
    """Each row online is the row of one snapshot, whole."""
    store = FeatureStore(FeatureSettings(), root)
    matrix = load_matrix(store)
    dates = [d for d in (BEFORE, AFTER) if d in saved_as_ofs(root / "features")]
    for name in VIEWS:
        columns = view(name).columns
        online = matrix.frame[list(columns)]
        equal = np.zeros(len(online), dtype=bool)
        for as_of in dates:
            rows = pd.read_parquet(snapshot_path(root / "features", name, as_of)).set_index("partner_id")
            there = rows.drop(columns=CREATED, errors="ignore").reindex(online.index)[list(columns)]
            same = (there == online) | (there.isna() & online.isna())
            equal |= same.all(axis=1).to_numpy()
        if not equal.all():
            yield f"{(~equal).sum()} rows of {name} online are of no snapshot"


def _torn_models(root: Path, *_: State) -> Iterator[str]:
    """Every version loads and is the one it says; the champion is among them; reports can be read."""
    registry = Registry(RegistrySettings(root=root))
    versions = {v.version for v in registry.versions("churn")}
    for version in versions:
        load_bundle(registry.fetch("churn", version))
    champion = registry.champion("churn")
    if champion is None or champion.version not in versions:
        yield "there is no champion any more"
    for report in (root / "reports").glob("*/*.json"):
        json.loads(report.read_text(encoding="utf-8"))
