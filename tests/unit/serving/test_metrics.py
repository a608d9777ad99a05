"""Metrics files of several workers hold their whole room from the start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

# The mode is chosen when prometheus_client is imported, hence a process of its own.
CODE = """
import json, os, sys
from serving.metrics import Metrics
metrics = Metrics()
for name in os.listdir(sys.argv[1]):
    path = os.path.join(sys.argv[1], name)
    found = os.stat(path)
    print(json.dumps([name.split("_")[0], found.st_size, found.st_blocks * 512]))
metrics.answered(route="/livez", method="GET", status=200, seconds=0.1)
print(json.dumps("partnerintel_requests_total" in metrics.page().decode()))
"""


def test_no_page_of_a_metrics_file_is_left_to_find_room_later(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path)],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    *files, counted = [json.loads(line) for line in done.stdout.splitlines()]
    assert {kind for kind, _, _ in files} == {"counter", "histogram", "gauge"}
    assert all(allocated >= size >= 2**20 for _, size, allocated in files), files
    assert counted is True
