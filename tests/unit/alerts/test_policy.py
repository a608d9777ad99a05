"""The policy of alerts: doors apart, budgets kept, one alert a partner, a new model no storm."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import ConfigError, InputError
from models.alerts import records
from models.alerts.cycle import Book, Turned, Watched, turn
from models.alerts.draws import draw
from models.alerts.playbook import Playbook, read_playbook, standard_playbook
from models.alerts.settings import AlertSettings
from models.alerts.states import Doors, Reading, log_hazard, step

MONDAY = date(2026, 3, 2)
WEEK = timedelta(days=7)
PLAIN = AlertSettings(holdout_share=0.0)
ETAS = st.floats(-4, 3, allow_nan=False)


def eta(risk: float) -> float:
    return log_hazard(risk)


def partner(name: str, risk: float, *, manager: str = "M1", margin: int = 100_00, **more: object) -> Watched:
    given: dict[str, object] = {
        "reading": Reading(eta(risk), "1"), "probability": risk, "margin_cents": margin, "driver": "revenue",
    }  # fmt: skip
    return Watched(name, manager, **{**given, **more})  # type: ignore[arg-type]


class Weeks:
    """Runs cycle after cycle."""

    def __init__(self, settings: AlertSettings = PLAIN) -> None:
        self.settings, self.book, self.on, self.count = settings, Book(), MONDAY, 0
        self.doors = Doors.of(settings, link="log_cumulative_hazard")

    def run(self, *watched: Watched, feeds: tuple[str, ...] = ()) -> Turned:
        turned = turn(
            self.book, watched, on=self.on, doors=self.doors, settings=self.settings,
            playbook=standard_playbook(), new_id=self._id, silent_feeds=feeds,
        )  # fmt: skip
        self.book, self.on = turned.book, self.on + WEEK
        return turned

    def _id(self, partner_id: str) -> str:
        self.count += 1
        return f"alr_{partner_id}_{self.count}"

    def change(self, change: object) -> None:
        self.book = replace(self.book, alerts=tuple(change(a) for a in self.book.alerts))  # type: ignore[operator]


def opened(turned: Turned) -> list[str]:
    return [c.alert.partner_id for c in turned.changes if c.what == "opened"]


def test_a_partner_at_risk_gets_one_alert_however_long_it_lasts() -> None:
    weeks = Weeks()
    assert [opened(weeks.run(partner("A", 0.8))) for _ in range(6)] == [["A"], [], [], [], [], []]


def test_an_alert_says_what_to_do_and_by_when() -> None:
    alert = Weeks().run(partner("A", 0.8, driver="portal_activity")).changes[0].alert
    assert (alert.play, alert.due_on) == ("win_back_logins", MONDAY + timedelta(days=5))


def test_a_risk_that_trembles_between_the_doors_changes_nothing() -> None:
    weeks = Weeks()
    weeks.run(partner("A", 0.8))
    states = []
    for risk in (0.5, 0.45, 0.5, 0.45, 0.5):
        weeks.run(partner("A", risk))
        states.append(weeks.book.tracks["A"].state)
    assert states == ["at_risk"] * 5


def test_a_partner_that_recovers_closes_its_alert() -> None:
    weeks = Weeks()
    for risk in (0.8, 0.8, 0.05, 0.05, 0.05, 0.05, 0.05):
        last = weeks.run(partner("A", risk))
    assert [a.outcome for a in last.book.alerts] == ["recovered"]


def test_no_new_alert_within_the_pause_after_the_last_one() -> None:
    weeks = Weeks()
    weeks.run(partner("A", 0.8))
    on = weeks.on
    weeks.change(lambda a: records.close(a, outcome="false_alarm", on=on))
    again = [opened(weeks.run(partner("A", 0.8))) for _ in range(6)]
    assert again == [[], [], [], [], [], ["A"]]


@given(risks=st.lists(st.integers(51, 99), min_size=1, max_size=40), weeks=st.integers(1, 4))
def test_a_queue_never_exceeds_its_budget_and_holds_the_most_valuable(risks: list[int], weeks: int) -> None:
    run = Weeks(AlertSettings(budget_per_manager=5, holdout_share=0.0))
    rows = [partner(f"P{i:02d}", r / 100, margin=1000 * (i + 1)) for i, r in enumerate(risks)]
    for _ in range(weeks):
        run.run(*rows)
    shown = {a.partner_id for a in run.book.alerts if a.waits}
    assert len(shown) == min(5, len(rows))
    worth = {r.partner_id: (r.probability or 0) * r.margin_cents for r in rows}
    assert min(worth[p] for p in shown) >= max([v for p, v in worth.items() if p not in shown], default=0)


@given(order=st.permutations([partner(f"P{i}", 0.5 + i / 25, margin=1000 * i) for i in range(10)]))
def test_the_order_of_partners_changes_nothing(order: list[Watched]) -> None:
    first = Weeks(AlertSettings(budget_per_manager=3)).run(*order)
    again = Weeks(AlertSettings(budget_per_manager=3)).run(*sorted(order, key=lambda w: w.partner_id))
    assert [a.partner_id for a in first.book.alerts] == [a.partner_id for a in again.book.alerts]
    assert first.book.tracks == again.book.tracks


@given(values=st.lists(ETAS, min_size=1, max_size=12))
def test_running_a_cycle_twice_is_running_it_once(values: list[float]) -> None:
    weeks = Weeks()
    for value in values:
        row = partner("A", 0.7, reading=Reading(value, "1"))
        weeks.run(row)
        before, weeks.on = weeks.book, weeks.on - WEEK
        assert weeks.run(row).changes == ()
        assert weeks.book == before


@given(low=st.lists(ETAS, min_size=1, max_size=12), more=st.lists(st.floats(0, 2), min_size=12, max_size=12))
def test_a_greater_risk_never_gives_a_smaller_average(low: list[float], more: list[float]) -> None:
    doors, tracks = Doors.of(PLAIN, link="log_odds"), [None, None]
    for cycle, (value, extra) in enumerate(zip(low, more, strict=False)):
        for which, given_eta in enumerate((value, value + extra)):
            tracks[which] = step(
                tracks[which], Reading(given_eta, "1"), cycle=cycle, doors=doors, settings=PLAIN
            )
        assert tracks[1].smoothed >= tracks[0].smoothed - 1e-12


@given(
    base=st.lists(ETAS, min_size=8, max_size=8),
    shifts=st.lists(st.floats(-3, 3), min_size=5, max_size=5),
    risky=st.integers(1, 7),
)
def test_five_new_models_open_no_alert_for_partners_that_stay_as_they_are(
    base: list[float], shifts: list[float], risky: int
) -> None:
    """Each refit moves every score; what the partners do does not change."""
    weeks = Weeks()
    names = [f"P{i}" for i in range(8)]

    def rows(version: int) -> list[Watched]:
        moved = sum(shifts[:version]) * (1 if risky % 2 else -1)
        before = sum(shifts[: version - 1]) * (1 if risky % 2 else -1) if version else 0.0
        found = []
        for place, (name, value) in enumerate(zip(names, base, strict=True)):
            scale = (place + 1) / risky
            changed = value + before * scale if version and version_is_new[0] else None
            found.append(partner(name, 0.7, reading=Reading(value + moved * scale, str(version), changed)))
        return found

    version_is_new = [False]
    for _ in range(12):
        weeks.run(*rows(0))
    for version in range(1, 6):
        for week in range(4):
            version_is_new[0] = week == 0
            assert opened(weeks.run(*rows(version))) == []


def test_a_risk_only_a_new_model_sees_is_watched_and_says_so() -> None:
    weeks = Weeks()
    for _ in range(3):
        weeks.run(partner("A", 0.1))
    turned = weeks.run(partner("A", 0.9, reading=Reading(eta(0.9), "2", eta(0.1))))
    track = turned.book.tracks["A"]
    assert (track.state, track.cause, opened(turned)) == ("watch", "model", [])


def test_behaviour_that_worsens_under_a_new_model_still_opens_an_alert() -> None:
    weeks = Weeks()
    for _ in range(3):
        weeks.run(partner("A", 0.45))
    weeks.run(partner("A", 0.7, reading=Reading(eta(0.7), "2", eta(0.45))))
    assert opened(weeks.run(partner("A", 0.97, reading=Reading(eta(0.97), "2")))) == ["A"]


def test_when_the_old_model_is_gone_the_state_waits() -> None:
    weeks = Weeks()
    for _ in range(3):
        weeks.run(partner("A", 0.1))
    turned = weeks.run(partner("A", 0.9, reading=Reading(eta(0.9), "2", None)))
    assert opened(turned) == []


def test_a_silent_feed_raises_one_data_alert_and_no_partner_alerts() -> None:
    weeks = Weeks()
    weeks.run(partner("A", 0.1))
    quiet = partner("A", 0.9, reading=Reading(eta(0.9), "1", frozen=eta(0.9) - eta(0.1)))
    found = [[(c.what, c.alert.kind) for c in weeks.run(quiet, feeds=("lms",)).changes] for _ in range(3)]
    assert found == [[("opened", "feed")], [], []]
    assert [(c.what, c.alert.partner_id) for c in weeks.run(partner("A", 0.1)).changes] == [("closed", "lms")]


def test_a_snoozed_alert_blocks_new_ones_and_returns_once() -> None:
    weeks = Weeks()
    weeks.run(partner("A", 0.8))
    until = weeks.on + 2 * WEEK
    weeks.change(lambda a: records.snooze(a, until=until, reason="seasonal shutdown", on=MONDAY))
    changes = [[c.what for c in weeks.run(partner("A", 0.8)).changes] for _ in range(5)]
    assert [c for week in changes for c in week if c != "escalated"] == ["returned"]
    assert changes[2][0] == "returned"


def test_a_snoozed_alert_that_is_no_longer_true_closes_instead() -> None:
    weeks = Weeks()
    weeks.run(partner("A", 0.8))
    weeks.change(lambda a: records.snooze(a, until=MONDAY + 8 * WEEK, reason="holiday", on=MONDAY))
    changes = [c.what for _ in range(8) for c in weeks.run(partner("A", 0.05)).changes]
    assert changes == ["closed"]


def test_an_alert_nobody_saw_is_escalated_once() -> None:
    weeks = Weeks()
    changes = [c.what for _ in range(5) for c in weeks.run(partner("A", 0.8)).changes]
    assert changes == ["opened", "escalated"]


def test_an_override_opens_an_alert_beyond_the_budget_and_one_against_it_none() -> None:
    weeks = Weeks(AlertSettings(budget_per_manager=1, holdout_share=0))
    calm = partner("C", 0.99, margin=10**9, forced="ok")
    rows = (partner("A", 0.8), partner("B", 0.05, forced="at_risk"), calm)
    assert sorted(opened(weeks.run(*rows))) == ["B"]
    assert opened(weeks.run(*rows)) == []
    assert weeks.book.tracks["C"].state == "at_risk"


def test_thin_evidence_and_long_silence_open_nothing() -> None:
    rows = (partner("A", 0.9, probability=None), partner("B", 0.9, active=False))
    assert opened(Weeks().run(*rows)) == []


def test_a_partner_that_left_closes_its_alert() -> None:
    weeks = Weeks()
    weeks.run(partner("A", 0.8))
    closed = weeks.run(partner("A", 0.9, departed=True)).changes
    assert [(c.what, c.alert.outcome) for c in closed] == [("closed", "departed")]


def test_held_out_alerts_use_no_budget_and_are_never_large_accounts() -> None:
    settings = AlertSettings(budget_per_manager=20, holdout_share=0.3, holdout_below_share=0.5)
    rows = [partner(f"P{i:03d}", 0.8, margin=1000 * (i + 1)) for i in range(200)]
    found = [c.alert for c in Weeks(settings).run(*rows).changes]
    held = [a for a in found if a.held_out]
    assert len(found) - len(held) == 20
    assert all(a.margin_cents <= 100_000 and a.propensity == 0.3 for a in held)
    assert all(a.propensity == 0.0 for a in found if a.margin_cents > 101_000)


def test_the_share_held_out_is_what_the_propensity_says() -> None:
    held = [draw(7, "hold-out", f"P{i}", 12) < 0.07 for i in range(20_000)]
    assert abs(sum(held) / len(held) - 0.07) < 0.006


@pytest.mark.parametrize(
    "change",
    [
        lambda a: records.snooze(a, until=MONDAY, reason="x", on=MONDAY),
        lambda a: records.snooze(a, until=MONDAY + 400 * WEEK, reason="x", on=MONDAY),
        lambda a: records.snooze(a, until=MONDAY + WEEK, reason=" ", on=MONDAY),
        lambda a: records.close(a, outcome="whatever", on=MONDAY),
        lambda a: records.assign(a, to="  ", on=MONDAY),
        lambda a: records.acknowledge(records.close(a, outcome="saved", on=MONDAY), on=MONDAY),
    ],
)
def test_what_is_forbidden_says_what_is_allowed(change: object) -> None:
    alert = Weeks().run(partner("A", 0.8)).changes[0].alert
    with pytest.raises(InputError):
        change(alert)  # type: ignore[operator]


def test_acknowledging_twice_is_once() -> None:
    alert = Weeks().run(partner("A", 0.8)).changes[0].alert
    once = records.acknowledge(alert, on=MONDAY)
    assert records.acknowledge(once, on=MONDAY + WEEK) == once


def test_every_actionable_factor_of_the_churn_model_has_a_play() -> None:
    from models.churn import SPEC

    factors = {f.shown_factor for f in SPEC.features if f.group != "context"} - {"tenure"}
    named = {d for p in standard_playbook().plays for d in p.drivers}
    assert factors <= named
    assert standard_playbook().play("never heard of").key == "check_in"


def test_a_playbook_with_two_plays_for_one_driver_is_refused(tmp_path: object) -> None:
    play = {"key": "a", "title": "A", "steps": ["x"], "drivers": ["revenue"]}
    with pytest.raises(ValueError, match="two plays"):
        Playbook.model_validate({"plays": [play, {**play, "key": "b"}, {**play, "key": "c", "drivers": []}]})
    missing = tmp_path / "none.yaml"  # type: ignore[operator]
    with pytest.raises(ConfigError):
        read_playbook(missing)


def test_doors_that_are_not_apart_are_refused() -> None:
    with pytest.raises(ValueError, match="left below where it is entered"):
        AlertSettings(at_risk_from=0.5, recover_below=0.5)
