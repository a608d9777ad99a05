"""F2: nights on a disk that runs full, at ingest, features, training and the registry."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from tests.faults.case_f9 import AFTER, BEFORE, prepared, torn
from tests.faults.harness import FOLDER, Outcome, judged

TITLE = "On a full disk a night ends with a clean error, nothing acknowledged is lost, and it recovers"
SLOW = True
LIMIT_SECONDS = 2400
QUICK, FULL = 2, 12
ROOMS = (
    0,
    4_096,
    20_000,
    60_000,
    120_000,
    250_000,
    500_000,
    800_000,
    1_200_000,
    2_000_000,
    4_000_000,
    64_000_000,
)
"""Bytes free when the night begins: from nothing at all to enough."""


def run(size: int) -> Outcome:
    """A real file system of limited size (tmpfs in a mount namespace), filled up before the night."""
    chosen = [ROOMS[round(k * (len(ROOMS) - 1) / max(size - 1, 1))] for k in range(size)]
    with tempfile.TemporaryDirectory(prefix="f2-") as folder:
        home = Path(folder)
        old, new, _ = prepared(home)
        (home / "states.json").write_text(json.dumps([asdict(old), asdict(new)], default=str))
        rows = nights_on_a_small_disk(home, chosen)
    faults = [f"{r['room']:,} bytes free: {fault}" for r in rows for fault in r["faults"]]
    failed = sum(bool(r["failed"]) for r in rows)
    if failed == 0:
        faults.append("no night ran out of disk")
    told = f"{failed} of {size} nights ran out of disk between {BEFORE} and {AFTER}; 0 torn, all recovered"
    return judged(size, faults, told)


def planted() -> Outcome:
    """What is left when a report is written in place and the disk is full: half of it."""
    with tempfile.TemporaryDirectory(prefix="f2-") as folder:
        old, new, _ = prepared(Path(folder), after=False)
        root = Path(folder) / "before"
        report = next((root / "reports").glob("*/*.json"))
        report.write_text(report.read_text()[:1000])
        return judged(1, list(torn(root, old, new)), "")


def nights_on_a_small_disk(home: Path, rooms: list[int]) -> list[dict[str, object]]:
    """Lines of `full_disk.py`, run where it may mount.

    Raises:
        RuntimeError: This machine lets us make no file system.
    """
    command = [sys.executable, "-W", "ignore", "-m", "tests.faults.full_disk", str(home), *map(str, rooms)]
    done = subprocess.run(
        ["unshare", "--mount", "--map-root-user", *command],
        cwd=FOLDER.parents[1],
        env={**os.environ, "PYTHONPATH": str(FOLDER.parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2000:])
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
