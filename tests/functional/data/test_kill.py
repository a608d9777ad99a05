"""Writers killed with SIGKILL at every moment: the lake holds the old state or the new one."""

import os
import signal
import subprocess
import sys
import time
from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from data.lake import Lake

# One process that has everything imported forks a writer for each line it reads. A writer says on a line of
# its own file when it starts, and when a commit has been acknowledged to it.
_FORKER = """
import os, pathlib, sys, threading
from datetime import datetime
import duckdb, pandas as pd, pandera.pandas
from data.lake import Lake, connect
from data.schemas import to_arrow

root = pathlib.Path(sys.argv[1])

def write(number, said):
    lake = Lake(root / "lake")
    frame = pd.DataFrame({"event_id": [f"{number}-{i}" for i in range(3000)], "partner_id": "p",
                          "event_type": "portal_login", "event_at": pd.Timestamp("2024-01-01")})
    os.write(said, b"started\\n")
    with lake.transaction(ingested_at=datetime(2025, 1, 1)) as work:
        for part in range(3):
            with connect() as connection:
                connection.register("rows", to_arrow("events", frame.iloc[part * 1000:(part + 1) * 1000]))
                work.add("events", connection, "rows")
    os.write(said, b"committed\\n")

while line := sys.stdin.readline():
    number = int(line)
    pid = os.fork()
    if pid == 0:
        write(number, os.open(root / f"said-{number}", os.O_WRONLY | os.O_CREAT))
        os._exit(0)
    print(pid, flush=True)
    sys.stdin.readline()  # until then the process stays, if only as a zombie, and its number is its own
    os.waitpid(pid, 0)
    print("gone", flush=True)
"""


class _Writers:
    def __init__(self, root):
        self.root = root
        self.forker = subprocess.Popen(
            [sys.executable, "-c", _FORKER, str(root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.forker.stdin.close()
        self.forker.wait()
        self.forker.stdout.close()

    def run(self, number, *, kill_after):
        """Run one writer and kill it; was its commit acknowledged, and how long did it run?"""
        print(number, file=self.forker.stdin, flush=True)
        pid = int(self.forker.stdout.readline())
        said = self.root / f"said-{number}"
        while not (said.exists() and said.read_text()):
            time.sleep(0.001)
        started = time.monotonic()
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(pid, signal.SIGKILL)
        print("reap", file=self.forker.stdin, flush=True)
        assert self.forker.stdout.readline().strip() == "gone"
        return "committed" in said.read_text(), time.monotonic() - started


@pytest.mark.slow
def test_a_killed_writer_leaves_the_old_state_or_the_new_one(tmp_path):
    lake = Lake(tmp_path / "lake")
    with _Writers(tmp_path) as writers:
        acknowledged, usual = writers.run(0, kill_after=None)
        assert acknowledged
        rows, outcomes = lake.rows("events"), []
        assert rows == 3000
        for number, share in enumerate(np.linspace(0.0, 1.5, 16), start=1):
            acknowledged, _ = writers.run(number, kill_after=usual * share)
            found = len(lake.read("events"))
            assert found == lake.rows("events")
            assert found in (rows, rows + 3000), f"torn: {found} rows after {rows}"
            assert found == rows + 3000 or not acknowledged, "an acknowledged commit was lost"
            outcomes.append(found > rows)
            rows = found
    assert len(set(outcomes)) == 2, f"the moments did not straddle the commit: {outcomes}"
    # The lake goes on working, and what the killed writers left is swept.
    last = pd.DataFrame({"event_id": ["x"], "partner_id": ["p"], "event_type": ["t"]})
    last["event_at"] = pd.Timestamp("2024-01-01")
    assert lake.append("events", last, ingested_at=datetime(2025, 1, 1)).rows_new == 1
    assert sorted((tmp_path / "lake" / "events").iterdir()) == sorted(lake.paths("events"))
