"""A training that is killed leaves the registry old or new, never torn."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from models.bundle import load_bundle
from models.registry import Registry, RegistrySettings

SCRIPT = """
import sys
from datetime import datetime
from pathlib import Path
from dataclasses import replace
from models.registry import Registry, RegistrySettings
from models.scorecard import Criterion, Scorecard
from tests.unit.training.worlds import dated
from training.pipeline import train
from training.settings import TrainingSettings
root = Path(sys.argv[1])
card = Scorecard(criteria=(Criterion(feature="x0", weight=100, low=3, high=-3),))
data = replace(dated(partners=60, snapshots=16), scorecard=card)
print("ready", flush=True)
train(data, settings=TrainingSettings(trials=2), registry=Registry(RegistrySettings(root)),
      now=datetime(2026, 1, 1), storage=root / "optuna.db")
print("done", flush=True)
"""


@pytest.mark.slow
def test_a_killed_training_leaves_only_whole_versions(tmp_path):
    finished = 0
    for wait in (0.2, 1.0, 2.0, 3.5, 5.0, 8.0):
        command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(wait)
            process.send_signal(signal.SIGKILL)
            finished += "done" in process.stdout.read()
        registry = Registry(RegistrySettings(tmp_path))
        for version in registry.versions("toy"):
            load_bundle(registry.fetch("toy", version.version))
        champion = registry.champion("toy")
        assert champion is None or champion.version in {v.version for v in registry.versions("toy")}
    assert finished < 6
