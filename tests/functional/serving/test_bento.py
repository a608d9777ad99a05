"""The built bento serves where the project is not installed."""

from __future__ import annotations

import os
import secrets
import subprocess
import venv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from serving.auth import create_key
from serving.bento import build_bento
from serving.server import launch, stop
from serving.settings import ServingSettings
from serving.state import Database
from tests.functional.serving.conftest import Served, build_features, free_port, make_workspace
from tests.unit.serving.world import Shop, good_row

pytestmark = pytest.mark.slow


def python_without_the_project(folder: Path) -> Path:
    """An interpreter with every installed library, and without this project."""
    venv.create(folder, with_pip=False, symlinks=True)
    ours = Path(pytest.__file__).resolve().parents[1]
    theirs = next(folder.glob("lib/python*/site-packages"))
    for entry in ours.iterdir():
        if entry.suffix != ".pth" and not entry.name.startswith("partnerintel-"):
            (theirs / entry.name).symlink_to(entry)
    python = folder / "bin" / "python"
    found = subprocess.run(
        [str(python), "-c", "import serving"], cwd=folder, capture_output=True, check=False
    )
    assert b"No module named 'serving'" in found.stderr
    return python


def test_a_built_bento_answers_scores_without_the_project(tmp_path: Path) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    origin, home, empty = tmp_path / "origin", tmp_path / "home", tmp_path / "empty"
    _, database, _ = make_workspace(origin)
    database.close()
    build_features(origin, now=now)
    tag = build_bento(origin, now=now, home=home, announce=lambda _: None)
    name, version = tag.split(":")
    bento = home / "bentos" / name / version
    source = bento / "src"
    assert not (source / "data" / "simulate").exists()
    assert "://" not in (bento / "env" / "python" / "requirements.txt").read_text()

    empty.mkdir()
    state = Database(f"sqlite:///{empty / 'state.db'}")
    state.migrate()
    key = create_key(state, owner="Kim", role="prm", now=now, random=secrets.token_bytes)
    port = free_port()
    python = python_without_the_project(tmp_path / "venv")
    plan = launch(empty, ServingSettings(port=port), target=str(bento), python=str(python))
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    log = empty / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            plan.command,
            env={**environment, **plan.environment},
            cwd=tmp_path,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Served(
        empty, Shop(empty / "unused"), f"http://127.0.0.1:{port}", port, {"prm": key}, process, log, state
    )
    try:
        server.wait_for()
        answer = server.call("POST", "/v1/churn/score", role="prm", json={"partner_ids": ["P0", "P1"]})
        assert answer.status_code == 200, answer.text
        # Without a feature store these are the last-known features, and say so.
        scores = answer.json()["results"][0]["churn_probability"]["90"]
        assert (scores["model_version"], scores["degraded"]) == ("1", True)
        rows = server.call("POST", "/churn_score", role="prm", json={"rows": [good_row()]}).json()
        decision = rows["results"][0]["churn_probability"]["30"]["decision_id"]
        assert server.call("GET", f"/v1/decisions/{decision}", role="prm").json()["replayed"] == "identical"
        model = server.call("GET", "/v1/models/churn", role="prm").json()
        assert (model["source"], model["version"]) == ("seed", "1")
    finally:
        stop(process, empty, drain_seconds=0)
        server.close()
