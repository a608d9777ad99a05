"""Records in all their versions: what was known by a date."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from models.versions import Versions

START = datetime(2026, 1, 1)


def moment(days: float) -> datetime:
    return START + timedelta(days=days)


def frame(rows: list[tuple[str, int | None, int]]) -> pd.DataFrame:
    """(record, happened on day or not at all, known on day) each."""
    made = pd.DataFrame(rows, columns=["record_key", "event_at", "known_at"])
    for name in ("event_at", "known_at"):
        made[name] = pd.Series(
            [None if pd.isna(v) else moment(v) for v in made[name]], dtype="datetime64[us]", index=made.index
        )
    return made.assign(partner_id="A")


def days(rows: pd.DataFrame) -> list[tuple[str, int]]:
    return sorted((k, (at - START).days) for k, at in zip(rows["record_key"], rows["event_at"], strict=True))


def test_before_it_is_known_a_record_is_not_there() -> None:
    versions = Versions(frame([("deal", 3, 5)]))
    assert days(versions.known(by=moment(4.9))) == []
    assert days(versions.known(by=moment(5))) == [("deal", 3)]


def test_a_correction_counts_from_when_it_is_known_and_not_before() -> None:
    versions = Versions(frame([("deal", 3, 5), ("deal", 8, 9)]))
    assert days(versions.known(by=moment(8))) == [("deal", 3)]
    assert days(versions.known(by=moment(9))) == [("deal", 8)]


def test_what_did_not_happen_after_all_vanishes_and_may_come_back() -> None:
    versions = Versions(frame([("deal", 3, 5), ("deal", None, 6), ("deal", 4, 7)]))
    assert [days(versions.known(by=moment(d))) for d in (5, 6, 7)] == [[("deal", 3)], [], [("deal", 4)]]


def test_rows_without_a_record_stand_for_themselves() -> None:
    rows = frame([("x", 1, 1), ("x", 2, 2)]).drop(columns="record_key")
    assert len(Versions(rows).known(by=moment(3))) == 2


def test_an_empty_table_knows_nothing() -> None:
    assert len(Versions(frame([])).known(by=moment(3))) == 0


RECORDS = st.lists(
    st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 9), st.integers(0, 9)), max_size=12
)


@given(rows=RECORDS, order=st.randoms(use_true_random=False), by=st.integers(0, 10))
def test_the_last_version_known_by_then_is_the_one_whatever_the_order_of_rows(
    rows: list[tuple[str, int | None, int]], order: Random, by: int
) -> None:
    shuffled = list(rows)
    order.shuffle(shuffled)
    newest: dict[str, tuple[int, float, int | None]] = {}
    for key, happened, told in rows:
        if told <= by:
            # Of two told at once, the one that did not happen stands last.
            version = (told, float("inf") if happened is None else happened, happened)
            newest[key] = max(newest.get(key, version), version, key=lambda v: v[:2])
    wanted = sorted((k, v[2]) for k, v in newest.items() if v[2] is not None)
    assert days(Versions(frame(shuffled)).known(by=moment(by))) == wanted
