"""A silent feed is told from a silent partner, and never from what was not known yet."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pandas as pd
import pytest

from data.errors import ConfigError
from features.freshness import feed_states, read_feed_states, save_feed_states, stale_features, stale_views
from features.settings import FeatureSettings
from tests.unit.features import worlds

SETTINGS = FeatureSettings.from_config(
    {
        "feeds": {
            "portal": {"feeds": ["login"], "stale_after_days": 7},
            "events": {"feeds": ["engagement"], "stale_after_days": 30},
            "surveys": {"feeds": ["satisfaction"], "stale_after_days": 1},
        }
    }
)


def event(name: str, source: str | None, at: datetime, known_at: datetime | None = None) -> worlds.Row:
    return {"event_id": name, "partner_id": "P", "event_type": "x", "source": source, "event_at": at,
            "known_at": known_at, "row_hash": name}  # fmt: skip


@pytest.fixture
def states(tmp_path: Path) -> pd.DataFrame:
    rows = [
        event("a", "portal", datetime(2023, 9, 1, 6)),
        event("b", "portal", datetime(2023, 9, 20), datetime(2023, 10, 5)),  # late: not known yet
        event("c", None, datetime(2023, 9, 25, 12)),
        event("d", "mail", datetime(2023, 10, 2)),
    ]
    paths = worlds.write(tmp_path, {"events": rows})
    return feed_states(paths, as_ofs=[date(2023, 10, 1), date(2023, 10, 6)])


def test_states_hold_what_was_known_at_each_date(states: pd.DataFrame) -> None:
    found = {(r.as_of.date().isoformat(), r.source): str(r.last_event_at) for r in states.itertuples()}
    assert found == {
        ("2023-10-01", "portal"): "2023-09-01 06:00:00",
        ("2023-10-01", "events"): "2023-09-25 12:00:00",
        ("2023-10-06", "portal"): "2023-09-20 00:00:00",
        ("2023-10-06", "events"): "2023-10-02 00:00:00",
        ("2023-10-06", "mail"): "2023-10-02 00:00:00",
    }


def test_stale_exactly_when_longer_ago_than_allowed(states: pd.DataFrame) -> None:
    first = states[states["as_of"] == pd.Timestamp("2023-10-01")]
    assert stale_views(first, as_of=datetime(2023, 9, 8, 6), settings=SETTINGS) == set()
    assert stale_views(first, as_of=datetime(2023, 9, 8, 6, 0, 1), settings=SETTINGS) == {"login"}
    assert stale_views(first, as_of=date(2023, 12, 1), settings=SETTINGS) == {"login", "engagement"}


def test_feed_that_never_delivered_is_absent_and_not_stale(states: pd.DataFrame) -> None:
    assert "satisfaction" not in stale_views(states, as_of=date(2030, 1, 1), settings=SETTINGS)


def test_stale_group_names_its_features_only() -> None:
    assert stale_features({"login"}) == {
        "login_count_7d", "login_count_30d", "login_count_90d", "login_count_180d",
        "login_trend", "days_since_last_login",
    }  # fmt: skip
    assert stale_features({"ticket"}) == {"ticket_count_30d", "ticket_count_90d"}
    with pytest.raises(ConfigError):
        stale_features({"nothing"})


def test_saved_states_of_other_dates_stay(states: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "feeds.parquet"
    assert read_feed_states(path).empty
    by_date = dict(tuple(states.groupby("as_of")))
    for part in by_date.values():
        save_feed_states(path, part)
    assert len(read_feed_states(path, as_of=date(2023, 10, 1))) == 2
    assert len(read_feed_states(path)) == 3
