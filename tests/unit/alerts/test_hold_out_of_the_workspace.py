"""What became of alerts that were really opened, held-out ones included."""

from __future__ import annotations

import os
from datetime import date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from data.lake import Lake
from models.alerts.records import Alert
from partnerintel import alerting
from partnerintel.settings import Project, open_project
from serving.health.records import StoredAlert, write_alerts
from serving.ids import new_id
from serving.state import Database

OPENED = date(2026, 1, 5)
UNTIL = datetime(2026, 11, 1)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Forty partners that bought monthly; every second one stopped a month after its alert."""
    (tmp_path / "partnerintel.yaml").write_text("config_version: 1\nchurn: {silence: 90}\n")
    rows = []
    for number in range(40):
        last = datetime(2026, 2, 5) if number % 2 == 0 else datetime(2026, 10, 25)
        at = datetime(2025, 10, 1)
        while at <= last:
            rows.append((f"D{number}-{at:%y%m%d}", f"P{number}", "won", 100.0, at))
            at += timedelta(days=25)
    frame = pd.DataFrame(rows, columns=["deal_id", "partner_id", "status", "amount_usd", "event_at"])
    frame["known_at"] = frame["event_at"]
    Lake(tmp_path / "lake").append("deals", frame, ingested_at=UNTIL)
    made = open_project(tmp_path)
    database = Database(made.serving.database(tmp_path))
    database.migrate()
    alerts = [
        Alert(new_id("alr", at=UNTIL, random=os.urandom), f"P{n}", "M1", "risk", OPENED,
              held_out=n % 4 < 2, propensity=0.5)
        for n in range(40)
    ]  # fmt: skip
    with database.write() as connection:
        pairs = [(StoredAlert(a, {}, "", 0.0), "opened") for a in alerts]
        write_alerts(connection, pairs, actor="test", at=UNTIL)
    database.close()
    return made


def test_held_out_alerts_are_judged_by_what_became_of_the_partner(project: Project) -> None:
    found = alerting.real_alerts(project, until=UNTIL)
    assert found is not None
    assert found["held_out"] == 20
    assert found["precision"]["value"] == pytest.approx(0.5)


def test_an_alert_whose_outcome_is_not_certain_yet_does_not_count(project: Project) -> None:
    assert alerting.real_alerts(project, until=datetime(2026, 3, 1)) is None
