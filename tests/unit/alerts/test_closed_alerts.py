"""What managers said when they closed alerts: `lost` is a label, the rest is counted beside what happened."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.alerts.records import OUTCOMES, Alert, close
from models.churn.cohort import build_cohort
from models.churn.settings import ChurnSettings
from partnerintel.closed_alerts import said_and_done, with_lost
from partnerintel.settings import open_project
from serving.health.records import StoredAlert, write_alerts
from serving.state import Database

AS_OF, CLOSED = date(2026, 1, 5), date(2026, 2, 10)
COLUMNS = ["partner_id", "event_at", "known_at", "record_key"]


def rows(*given: tuple[str, datetime]) -> pd.DataFrame:
    frame = pd.DataFrame([(p, at, at, f"{p}{at}") for p, at in given], columns=COLUMNS)
    return frame.astype({"event_at": "datetime64[us]", "known_at": "datetime64[us]"})


def alert(partner: str, outcome: str, kind: str = "risk") -> Alert:
    opened = Alert(f"alr_{partner}", partner, "M1", kind, AS_OF)  # type: ignore[arg-type]
    return close(opened, outcome=outcome, on=CLOSED) if outcome else opened


def kept(root: Path, *alerts: Alert) -> object:
    (root / "partnerintel.yaml").write_text("config_version: 1\n")
    project = open_project(root)
    database = Database(project.serving.database(root))
    database.migrate()
    with database.write() as connection:
        pairs = [(StoredAlert(a, {}, "", 0.0), "closed") for a in alerts]
        write_alerts(connection, pairs, actor="test", at=datetime(2026, 2, 10, 9))
    database.close()
    return project


def test_a_partner_closed_as_lost_has_left_in_the_next_training(tmp_path: Path) -> None:
    """The silence would prove it only months later; whoever bought again was not lost."""
    alerts = [alert("lost", "lost"), alert("back", "lost"), alert("saved", "saved"), alert("open", ""),
              replace(alert("manual", "lost"), kind="manual")]  # fmt: skip
    names = [a.partner_id for a in alerts]
    bought = [(p, datetime(2026, 1, 20)) for p in names] + [("back", datetime(2026, 2, 14))]
    activity = rows(*bought)
    project = kept(tmp_path, *alerts)
    ended = with_lost(project, rows(), activity=activity)  # type: ignore[arg-type]
    assert list(ended["partner_id"]) == ["lost"]
    before, after = date(2026, 2, 5), date(2026, 2, 15)
    cohort = build_cohort(activity, ended, as_ofs=[before, after], settings=ChurnSettings())
    asked = {day: set(cohort[cohort["as_of"] == pd.Timestamp(day)]["partner_id"]) for day in (before, after)}
    assert asked[before] == set(names)
    assert asked[after] == set(names) - {"lost"}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_is_counted_beside_what_happened(outcome: str) -> None:
    alerts = [alert("a", outcome), alert("b", outcome), alert("c", "")]
    assert said_and_done(alerts, np.array([1.0, 0.0, 1.0])) == {outcome: {"alerts": 2, "departed": 1}}
