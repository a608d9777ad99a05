"""Churn labels against hand-made histories and a brute-force reference."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from models.churn.cohort import build_cohort, silence_days
from models.churn.label import Labels, build_labels
from models.churn.settings import ChurnSettings

T = datetime(2024, 1, 1)
FAR = T + timedelta(days=2000)
FIXED = ChurnSettings(silence=60, horizons_days=(30, 90), active_within_days=30)
SILENCE = ChurnSettings(label="silence", silence=60, horizons_days=(90,), active_within_days=30)
SECOND = timedelta(seconds=1)


def rows(*events: tuple[str, datetime] | tuple[str, datetime, datetime]) -> Any:
    full = [(e[0], e[1], e[2] if len(e) == 3 else e[1]) for e in events]
    frame = pd.DataFrame(full, columns=["partner_id", "event_at", "known_at"])
    return frame.astype({"event_at": "datetime64[us]", "known_at": "datetime64[us]", "partner_id": object})


def day(n: float) -> datetime:
    return T + timedelta(days=n)


def label(
    activity: Any,
    ended: Any = None,
    *,
    config: ChurnSettings = FIXED,
    until: datetime = FAR,
    as_ofs: Any = (T,),
) -> Labels:
    return build_labels(
        activity, rows() if ended is None else ended, as_ofs=as_ofs, settings=config, known_until=until
    )


def answers(labels: Labels) -> dict[tuple[str, int], int]:
    out = labels.outcomes
    return {(p, h): y for p, h, y in zip(out["partner_id"], out["horizon_days"], out["y"], strict=True)}


def test_partner_who_never_returns_departs_at_as_of() -> None:
    assert answers(label(rows(("A", day(-1))))) == {("A", 30): 1, ("A", 90): 1}


@pytest.mark.parametrize(
    ("next_activity", "expected"),
    [
        (day(60) - SECOND, (0, 1)),
        (day(60), (1, 1)),
        (day(60) + SECOND, (1, 1)),
        (day(30), (0, 1)),
        (T, (1, 1)),
    ],
    ids=["a second too early", "exactly after the silence", "later", "within 30", "at as_of"],
)
def test_silence_must_hold_for_its_whole_length_from_as_of(
    next_activity: datetime, expected: tuple[int, int]
) -> None:
    found = answers(label(rows(("A", day(-1)), ("A", next_activity))))
    assert (found["A", 30], found["A", 90]) == expected


@pytest.mark.parametrize(
    ("last", "expected"),
    [(day(30) - SECOND, (1, 1)), (day(30), (0, 1)), (day(90) - SECOND, (0, 1)), (day(90), (0, 0))],
)
def test_departure_is_dated_at_the_last_activity_and_the_horizon_is_open(
    last: datetime, expected: tuple[int, int]
) -> None:
    busy = [("A", day(d)) for d in range(-1, 90, 5) if day(d) < last]
    found = answers(label(rows(*busy, ("A", last))))
    assert (found["A", 30], found["A", 90]) == expected


def test_partner_who_returns_after_a_full_silence_still_departed() -> None:
    found = answers(label(rows(("A", day(-1)), ("A", day(20)), ("A", day(80)), ("A", day(81)))))
    assert found == {("A", 30): 1, ("A", 90): 1}


def test_gap_one_second_short_of_the_silence_is_no_departure() -> None:
    regular = [("A", day(d)) for d in range(80, 400, 30)]
    found = answers(label(rows(("A", day(-1)), ("A", day(20)), ("A", day(80) - SECOND), *regular)))
    assert found == {("A", 30): 0, ("A", 90): 0}


@pytest.mark.parametrize(
    ("ended", "expected"),
    [(T, (1, 1)), (day(30) - SECOND, (1, 1)), (day(30), (0, 1)), (day(90), (0, 0))],
)
def test_termination_is_a_departure_whatever_the_activity(ended: datetime, expected: tuple[int, int]) -> None:
    busy = rows(*[("A", day(d)) for d in range(-1, 400, 5)])
    found = answers(label(busy, rows(("A", ended))))
    assert (found["A", 30], found["A", 90]) == expected


def test_terminated_partner_is_not_asked_about_until_active_again() -> None:
    activity = rows(("A", day(-10)), ("B", day(-10)), ("B", day(-2)))
    ended = rows(("A", day(-5)), ("B", day(-5)))
    cohort = build_cohort(activity, ended, as_ofs=[T], settings=FIXED)
    assert list(cohort["partner_id"]) == ["B"]


def test_termination_at_the_moment_of_the_last_activity_ends_the_partnership() -> None:
    cohort = build_cohort(rows(("A", day(-5))), rows(("A", day(-5))), as_ofs=[T], settings=FIXED)
    assert cohort.empty


@pytest.mark.parametrize(
    ("last", "eligible"),
    [(day(-30) - SECOND, False), (day(-30), True), (T - SECOND, True), (T, False)],
)
def test_cohort_is_active_within_the_days_before_as_of(last: datetime, eligible: bool) -> None:
    cohort = build_cohort(rows(("A", last)), rows(), as_ofs=[T], settings=FIXED)
    assert list(cohort["partner_id"]) == (["A"] if eligible else [])


@pytest.mark.parametrize(("known_at", "eligible"), [(T, True), (T + SECOND, False)])
def test_cohort_uses_only_what_was_known_at_as_of(known_at: datetime, eligible: bool) -> None:
    cohort = build_cohort(rows(("A", day(-3), known_at)), rows(), as_ofs=[T], settings=FIXED)
    assert list(cohort["partner_id"]) == (["A"] if eligible else [])
    ended = build_cohort(rows(("A", day(-3))), rows(("A", day(-1), known_at)), as_ofs=[T], settings=FIXED)
    assert list(ended["partner_id"]) == ([] if eligible else ["A"])


@pytest.mark.parametrize(
    ("until", "horizons"),
    [(day(90) - SECOND, []), (day(90), [30]), (day(150) - SECOND, [30]), (day(150), [30, 90])],
)
def test_label_appears_only_when_horizon_and_silence_are_over(until: datetime, horizons: list[int]) -> None:
    for last in (day(-1), day(10), day(29)):  # whatever became of the partner
        found = label(rows(("A", day(-2)), ("A", last)), until=until)
        assert list(found.outcomes["horizon_days"]) == horizons
        assert set(found.stacked["known_at"]) <= {day(90), day(150)}
        assert (found.outcomes["known_at"] <= until).all()


@pytest.mark.parametrize(
    ("until", "intervals"),
    [(day(90) - SECOND, []), (day(90), [0]), (day(150) - SECOND, [0]), (day(150), [0, 1])],
)
def test_interval_appears_only_when_its_end_and_the_silence_are_over(
    until: datetime, intervals: list[int]
) -> None:
    busy = rows(*[("A", day(d)) for d in range(-1, 400, 5)])
    assert list(label(busy, until=until).stacked["interval"]) == intervals


@pytest.mark.parametrize(
    ("last", "events"),
    [(day(30) - SECOND, [1]), (day(30), [0, 1]), (day(90) - SECOND, [0, 1]), (day(90), [0, 0])],
)
def test_departure_at_a_boundary_belongs_to_the_interval_it_opens(last: datetime, events: list[int]) -> None:
    busy = [("A", day(d)) for d in range(-1, 90, 5) if day(d) < last]
    assert list(label(rows(*busy, ("A", last))).stacked["event"]) == events


def test_reporting_lag_delays_every_label() -> None:
    late = FIXED.model_copy(update={"reporting_lag_days": 7})
    activity = rows(("A", day(-1)))
    assert label(activity, config=late, until=day(97) - SECOND).outcomes.empty
    assert list(label(activity, config=late, until=day(97)).outcomes["known_at"]) == [day(97)]


@given(st.lists(st.integers(-29, 300), min_size=1, max_size=30), st.integers(0, 400))
@settings(max_examples=50, deadline=None)
def test_presence_of_a_label_never_depends_on_the_outcome(days: list[int], until: int) -> None:
    activity = rows(("A", day(-1)), *[("A", day(d)) for d in days])
    quiet = rows(("A", day(-1)))
    ours = label(activity, until=day(until)).outcomes
    theirs = label(quiet, until=day(until)).outcomes
    assert list(ours["horizon_days"]) == list(theirs["horizon_days"])


def test_late_row_counts_once_it_is_known_and_not_before() -> None:
    activity = rows(("A", day(-1)), ("A", day(20), day(160)), ("A", day(70)), ("A", day(120)))
    assert answers(label(activity, until=day(150)))["A", 30] == 1
    assert answers(label(activity, until=day(160)))["A", 30] == 0


def test_correction_replaces_the_row_it_corrects_once_known() -> None:
    activity = rows(
        ("A", day(-1)), ("A", day(20)), ("A", day(200), day(160)), ("A", day(70)), ("A", day(120))
    )
    activity["record_key"] = ["1", "2", "2", "3", "4"]
    assert answers(label(activity, until=day(159)))["A", 30] == 0
    assert answers(label(activity, until=day(160)))["A", 30] == 1


def test_activity_that_was_taken_back_vanishes_once_that_is_known() -> None:
    activity = rows(("A", day(-1)), ("A", day(20)), ("A", day(70)), ("A", day(120)))
    taken_back = pd.DataFrame({"partner_id": ["A"], "event_at": [pd.NaT], "known_at": [day(160)]})
    activity = pd.concat([activity, taken_back.astype(activity.dtypes)], ignore_index=True)
    activity["record_key"] = ["1", "2", "3", "4", "2"]
    assert answers(label(activity, until=day(159)))["A", 30] == 0
    assert answers(label(activity, until=day(160)))["A", 30] == 1


def test_silence_label_is_no_activity_within_its_horizon() -> None:
    for event, expected in ((T, 0), (day(90) - SECOND, 0), (day(90), 1)):
        found = label(rows(("A", day(-1)), ("A", event), ("A", day(200))), config=SILENCE)
        assert answers(found) == {("A", 90): expected}
        assert list(found.outcomes["known_at"]) == [day(90)]


def test_silence_label_is_known_as_soon_as_its_horizon_is_over() -> None:
    assert label(rows(("A", day(-1))), config=SILENCE, until=day(90) - SECOND).outcomes.empty
    assert answers(label(rows(("A", day(-1))), config=SILENCE, until=day(90))) == {("A", 90): 1}


def test_intervals_end_with_the_departure_and_count_half_exposure_there() -> None:
    busy = [("A", day(d)) for d in range(-1, 50, 10)]
    stacked = label(rows(*busy)).stacked
    assert stacked[["interval", "exposure_days", "event"]].to_numpy().tolist() == [[0, 30, 0], [1, 30, 1]]
    gone = label(rows(("A", day(-1)))).stacked
    assert gone[["interval", "exposure_days", "event"]].to_numpy().tolist() == [[0, 15, 1]]


def test_own_rhythm_decides_how_long_a_silence_must_be() -> None:
    adaptive = ChurnSettings(horizons_days=(30,), gap_shrinkage_count=0.001, silence_cap_days=400)
    slow = [("slow", day(d)) for d in range(-2001, 0, 200)]
    quick = [("quick", day(d)) for d in range(-2001, 0, 10)]
    activity = rows(*slow, *quick, ("slow", day(150)), ("quick", day(150)))
    lengths = silence_days(activity, ["slow", "quick", "new"], as_of=T, settings=adaptive)
    assert lengths[0] == 200
    assert lengths[1] == 90
    assert answers(label(activity, config=adaptive)) == {("quick", 30): 1, ("slow", 30): 0}


def test_own_rhythm_decides_about_silences_after_as_of_too() -> None:
    adaptive = ChurnSettings(horizons_days=(30,), gap_shrinkage_count=0.001, silence_cap_days=400)
    slow = [("slow", day(d)) for d in range(-2001, 0, 200)]
    quick = [("quick", day(d)) for d in range(-2001, 0, 10)]
    later = [(p, day(d)) for p in ("slow", "quick") for d in (20, 170, 180)]
    assert answers(label(rows(*slow, *quick, *later), config=adaptive)) == {("quick", 30): 1, ("slow", 30): 0}


def test_a_partner_departs_whatever_the_others_do() -> None:
    for busy in ("0", "B"):  # before and after it in order
        others = [(busy, day(d)) for d in range(-30, 400, 5)]
        found = answers(label(rows(("A", day(-1)), ("A", day(10)), *others)))
        assert (found["A", 30], found[busy, 90]) == (1, 0)


def test_rhythm_is_what_was_known_at_as_of() -> None:
    adaptive = ChurnSettings(gap_shrinkage_count=0.001, silence_cap_days=1000)
    base = [("A", day(-251)), ("A", day(-1))]
    before = silence_days(rows(*base), ["A"], as_of=T, settings=adaptive)
    more = rows(*base, ("A", day(900)), ("A", day(-2000), day(1)), ("A", T))
    assert silence_days(more, ["A"], as_of=T, settings=adaptive) == before == 250


def test_few_own_gaps_are_drawn_toward_the_pooled_one() -> None:
    adaptive = ChurnSettings(gap_shrinkage_count=5, silence_cap_days=1000)
    crowd = [(f"P{i}", day(-d)) for i in range(20) for d in range(1, 1001, 100)]
    lengths = silence_days(rows(*crowd, ("A", day(-301)), ("A", day(-1))), ["A"], as_of=T, settings=adaptive)
    assert lengths == np.ceil((1 * 300 + 5 * 100) / 6)


@pytest.mark.parametrize(
    "wrong",
    [
        {"horizons_days": (90, 30)}, {"horizons_days": ()}, {"horizons_days": (0, 30)}, {"silence": 0},
        {"label": "silence", "horizons_days": (30, 90)}, {"silence_cap_days": 89}, {"unknown": 1},
    ],
)  # fmt: skip
def test_settings_refuse_what_cannot_be_meant(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ChurnSettings(**wrong)


def test_gap_covers_horizon_silence_and_lag() -> None:
    assert FIXED.gap_days == 150
    assert SILENCE.gap_days == 90
    assert ChurnSettings(reporting_lag_days=3).gap_days == 180 + 180 + 3


EVENTS = st.lists(
    st.tuples(st.sampled_from("ABC"), st.integers(-60, 400), st.integers(0, 40)), min_size=0, max_size=60
)
ENDINGS = st.lists(st.tuples(st.sampled_from("ABC"), st.integers(-60, 300), st.integers(0, 40)), max_size=2)


def reference(events: Any, ended: Any, as_of: int, until: int) -> tuple[dict[Any, int], dict[Any, Any]]:
    """The definition, partner by partner and day by day (S = 60, horizons 30 and 90, cohort 30)."""
    outcomes, stacked = {}, {}
    for partner in sorted({p for p, _, _ in events}):
        then = [d for p, d, lag in events if p == partner and d < as_of and d + lag <= as_of]
        over = [d for p, d, lag in ended if p == partner and d < as_of and d + lag <= as_of]
        if not then or max(then) < as_of - 30 or (over and max(over) >= max(then)):
            continue
        days = {d for p, d, lag in events if p == partner and d + lag <= until and d >= as_of}
        ends = [d for p, d, lag in ended if p == partner and d + lag <= until and d >= as_of]
        candidates = [u for u in sorted(days | {as_of}) if not any(u < d < u + 60 for d in days)]
        gone = min([*candidates, *ends], default=10**9)
        for horizon in (30, 90):
            if as_of + horizon + 60 <= until:
                outcomes[partner, horizon] = int(gone < as_of + horizon)
        for k, (start, end) in enumerate(((0, 30), (30, 90))):
            if as_of + end + 60 <= until and gone >= as_of + start:
                event = int(gone < as_of + end)
                stacked[partner, k] = (event, (end - start) * (0.5 if event else 1.0))
    return outcomes, stacked


@given(EVENTS, ENDINGS, st.sampled_from([0, 17, 50]), st.integers(60, 600))
@settings(max_examples=100, deadline=None)
def test_labels_equal_the_definition_applied_one_by_one(
    events: Any, ended: Any, as_of: int, until: int
) -> None:
    activity = rows(*[(p, day(d), day(d + lag)) for p, d, lag in events])
    endings = rows(*[(p, day(d), day(d + lag)) for p, d, lag in ended])
    found = label(activity, endings, until=day(until), as_ofs=[day(as_of)])
    outcomes, stacked = reference(events, ended, as_of, until)
    assert answers(found) == outcomes
    table = found.stacked
    ours = {
        (p, k): (e, x)
        for p, k, e, x in zip(
            table["partner_id"], table["interval"], table["event"], table["exposure_days"], strict=True
        )
    }
    assert ours == stacked


@given(EVENTS, st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_order_and_duplicates_change_nothing(events: Any, random: Any) -> None:
    mixed = [*events, *events[:3]]
    random.shuffle(mixed)
    first = label(rows(*[(p, day(d), day(d + lag)) for p, d, lag in events]))
    second = label(rows(*[(p, day(d), day(d + lag)) for p, d, lag in mixed]))
    pd.testing.assert_frame_equal(first.outcomes, second.outcomes)
    pd.testing.assert_frame_equal(first.stacked, second.stacked)


def test_several_dates_give_what_each_gives_alone() -> None:
    rng = np.random.default_rng(5)
    events = [(f"P{rng.integers(9)}", day(int(rng.integers(-100, 500)))) for _ in range(150)]
    dates = [day(d) for d in (0, 60, 120, 180)]
    together = label(rows(*events), as_ofs=dates).outcomes
    alone = pd.concat([label(rows(*events), as_ofs=[d]).outcomes for d in dates], ignore_index=True)
    pd.testing.assert_frame_equal(together, alone)
    assert len(together) > 20
    assert set(together["y"]) == {0, 1}


def test_frames_have_their_promised_types_even_when_empty() -> None:
    for found in (label(rows()), label(rows(("A", day(-1))))):
        assert str(found.outcomes["known_at"].dtype) == "datetime64[us]"
        assert str(found.outcomes["as_of"].dtype) == "datetime64[us]"
        assert str(found.outcomes["y"].dtype) == "int8"
        assert str(found.stacked["exposure_days"].dtype) == "float64"
