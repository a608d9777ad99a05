"""What a feature may see: nothing that happened at or after as_of, nothing that was not known by then."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from features.build import build_features
from features.settings import FeatureSettings
from tests.unit.features import worlds

AS_OF = date(2023, 10, 1)
MIDNIGHT = datetime(2023, 10, 1)


def built(tables: Any, folder: Path, *, parts: int = 1) -> pd.DataFrame:
    paths = worlds.write(folder, tables, parts=parts)
    frames = build_features(paths, as_ofs=[AS_OF], settings=FeatureSettings(), threads=1)
    return worlds.wide(frames)


def unknowable(rng: random.Random, tables: dict[str, list[worlds.Row]]) -> dict[str, list[worlds.Row]]:
    """Every table with rows and corrections that nobody could know at AS_OF."""
    out: dict[str, list[worlds.Row]] = {}
    for table, rows in tables.items():
        make, _ = worlds.MAKERS[table]
        added = []
        for i in range(20):
            row = worlds.corrected(rng, table, rng.choice(rows)) if i % 2 else make(rng, 90_000 + i, "P0")
            late = MIDNIGHT + timedelta(seconds=rng.choice([1, 86_400, 8_640_000]))
            row["known_at"] = late
            # New records only: the other way of being unknowable is to happen later, known long before.
            if i % 4 == 0 and "event_at" in row:
                row = {**row, "event_at": MIDNIGHT + timedelta(seconds=rng.choice([0, 1, 864_000])),
                       "known_at": datetime(2023, 1, 2)}  # fmt: skip
            added.append(worlds.hashed({k: v for k, v in row.items() if k != "row_hash"}))
        out[table] = rows + added
    return out


@pytest.mark.parametrize("seed", range(2))
def test_rows_nobody_could_know_change_no_feature(seed: int, tmp_path: Path) -> None:
    tables = worlds.random_world(seed + 100)
    before = built(tables, tmp_path / "a")
    after = built(unknowable(random.Random(seed), tables), tmp_path / "b")
    pd.testing.assert_frame_equal(after, before, rtol=0, atol=0)


def test_order_repetition_and_batches_change_no_feature(tmp_path: Path) -> None:
    rng, tables = random.Random(0), worlds.random_world(200)
    before = built(tables, tmp_path / "a")
    mixed = {t: rng.sample(r + rng.sample(r, len(r) // 2), len(r) + len(r) // 2) for t, r in tables.items()}
    after = built(mixed, tmp_path / "b", parts=3)
    pd.testing.assert_frame_equal(after, before, rtol=0, atol=0)


def test_row_counts_from_the_midnight_it_is_known(tmp_path: Path) -> None:
    at = datetime(2023, 9, 1, 12)
    event = {"event_id": "e", "partner_id": "P0", "event_type": "portal_login", "event_at": at,
             "known_at": datetime(2023, 9, 5), "row_hash": "x"}  # fmt: skip
    paths = worlds.write(tmp_path, {"partners": [{"partner_id": "P0", "row_hash": "p"}], "events": [event]})
    days = [date(2023, 9, 4), date(2023, 9, 5), date(2023, 9, 6)]
    frame = build_features(paths, as_ofs=days, settings=FeatureSettings(), views=["engagement"])["engagement"]
    assert frame["login_count_30d"].fillna(-1).tolist() == [-1.0, 1.0, 1.0]
    assert frame["days_since_last_login"].fillna(-1).tolist() == [-1.0, 4.0, 5.0]


def test_silent_partner_has_zero_counts_and_no_recency(tmp_path: Path) -> None:
    event = {"event_id": "e", "partner_id": "P0", "event_type": "meeting", "user_id": "u",
             "event_at": datetime(2023, 9, 1), "row_hash": "x"}  # fmt: skip
    partners = [{"partner_id": p, "row_hash": p} for p in ("P0", "P1")]
    paths = worlds.write(tmp_path, {"partners": partners, "events": [event]})
    frames = build_features(paths, as_ofs=[AS_OF], settings=FeatureSettings())
    silent = worlds.wide(frames).xs("P1").iloc[0]
    assert silent["login_count_30d"] == 0.0
    assert silent["active_users_90d"] == 0.0
    assert pd.isna(silent["days_since_last_event"])
    assert pd.isna(silent["won_count_30d"])
    assert pd.isna(silent["certified_users_count"])


def test_partner_appears_only_once_signed_and_known(tmp_path: Path) -> None:
    partners = [
        {"partner_id": "early", "signed_at": datetime(2023, 9, 30, 23), "row_hash": "a"},
        {"partner_id": "late", "signed_at": datetime(2023, 10, 1), "row_hash": "b"},
        {"partner_id": "unknown", "known_at": datetime(2023, 10, 1, 0, 0, 1), "row_hash": "c"},
    ]
    paths = worlds.write(tmp_path, {"partners": partners})
    frames = build_features(paths, as_ofs=[AS_OF], settings=FeatureSettings(), views=["firmographics"])
    assert frames["firmographics"]["partner_id"].tolist() == ["early"]


@pytest.mark.parametrize(
    ("expires_at", "valid", "expiring"),
    [
        (datetime(2023, 9, 30, 23), 0.0, 0.0),
        (datetime(2023, 10, 1), 0.0, 0.0),
        (datetime(2023, 10, 1, 0, 0, 1), 1.0, 1.0),
        (datetime(2023, 12, 30), 1.0, 1.0),
        (datetime(2023, 12, 30, 0, 0, 1), 1.0, 0.0),
        (None, 1.0, 0.0),
    ],
)
def test_certificate_is_valid_until_the_moment_it_expires(
    expires_at: datetime | None, valid: float, expiring: float, tmp_path: Path
) -> None:
    certificate = {"certification_id": "c", "partner_id": "P0", "user_id": "u", "expires_at": expires_at,
                   "event_at": datetime(2023, 1, 1), "row_hash": "x"}  # fmt: skip
    tables = {"partners": [{"partner_id": "P0", "row_hash": "p"}], "certifications": [certificate]}
    paths = worlds.write(tmp_path, tables)
    frames = build_features(paths, as_ofs=[AS_OF], settings=FeatureSettings(), views=["enablement"])
    row = frames["enablement"].iloc[0]
    assert row["certifications_active_count"] == row["certified_users_count"] == valid
    assert row["certifications_expiring_90d_count"] == expiring


def test_latest_survey_of_the_same_moment_does_not_depend_on_row_order(tmp_path: Path) -> None:
    at = datetime(2023, 9, 1)
    answers = [{"survey_id": i, "partner_id": "P0", "score": s, "event_at": at, "row_hash": i}
               for i, s in (("s1", 2.0), ("s2", 9.0))]  # fmt: skip
    for name, rows in (("a", answers), ("b", answers[::-1])):
        tables = {"partners": [{"partner_id": "P0", "row_hash": "p"}], "surveys": rows}
        paths = worlds.write(tmp_path / name, tables)
        frames = build_features(paths, as_ofs=[AS_OF], settings=FeatureSettings(), views=["satisfaction"])
        assert frames["satisfaction"]["survey_score_latest"].tolist() == [9.0]
