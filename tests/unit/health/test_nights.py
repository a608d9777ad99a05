"""Refreshes night after night, and the queue people work with in between."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from data.errors import InputError, NotFoundError
from models.alerts.settings import AlertSettings
from models.health_change import PARTS
from serving import audit, outbox
from serving.decisions import DecisionLog
from serving.health.change import Rework
from serving.health.queue import Wanted
from serving.health.tables import ALERT_LOG, ALERTS, HEALTH_HISTORY, HEALTH_NOW
from serving.replay import Replay
from tests.unit.health.nights import KIM, LEE, ROOT, Nights

LOW = AlertSettings(
    at_risk_from=0.10,
    recover_below=0.06,
    watch_from=0.07,
    ok_below=0.05,
    holdout_share=0.0,
    budget_per_manager=4,
)
ALL = Wanted(state="all", limit=200)


@pytest.fixture
def nights(tmp_path: Path) -> Iterator[Nights]:
    made = Nights(tmp_path, settings=LOW)
    yield made
    made.database.close()


def queue_of(nights: Nights, **wanted: object) -> list[dict[str, object]]:
    return nights.queue.page(Wanted(**{"limit": 200, **wanted}), identity=ROOT)["alerts"]  # type: ignore[arg-type]


def test_the_queue_holds_at_most_the_budget_ordered_by_expected_loss(nights: Nights) -> None:
    nights.run()
    assert len(queue_of(nights)) > 4
    for manager in ("M1", "M2", "M3"):
        shown = queue_of(nights, manager_id=manager)
        assert len(shown) <= 4
        worth = [float(a["margin_at_risk"]["amount"]) * a["churn_probability_90"] for a in shown]
        assert worth == sorted(worth, reverse=True)


def test_a_refresh_run_twice_changes_nothing(nights: Nights) -> None:
    nights.run(days=0)
    before = _everything(nights)
    nights.run(days=0)
    assert _everything(nights) == before


def _everything(nights: Nights) -> tuple[object, ...]:
    with nights.database.read() as connection:
        return tuple(
            connection.execute(select(t).order_by(*t.primary_key)).all()
            for t in (ALERTS, ALERT_LOG, HEALTH_NOW)
        )


def test_five_forced_promotions_of_refits_open_no_alert(nights: Nights) -> None:
    """In the same week and in weeks to come, with partners as they are."""
    for _ in range(8):
        nights.run()
    before = {a["alert_id"] for a in queue_of(nights, state="all")}
    for k in range(2, 7):
        nights.promote(str(k), seed=k)
        nights.run(days=0)
        assert nights.run().opened == 0
    assert {a["alert_id"] for a in queue_of(nights, state="all")} == before
    risks = [
        nights.reader.of_partner(p, identity=ROOT)["churn_probability_90"] for p in nights.frame.index[:20]
    ]
    assert len({round(r, 6) for r in risks}) > 10


def test_the_refits_do_move_scores_and_say_that_it_is_the_model(nights: Nights) -> None:
    nights.run()
    nights.promote("2", seed=2)
    nights.run(days=0)
    changed = nights.reader.of_partner("P003", identity=ROOT)["changed_since"]
    assert changed["model"] == "model changed"
    assert abs(changed["by"]["model_change"]) > 0.01
    assert changed["by"]["behaviour"] == 0.0


def test_what_a_partner_did_is_told_with_values_then_and_now(nights: Nights) -> None:
    nights.move("P001", login_count_30d=22.0, days_since_last_login=1.0)
    nights.run()
    nights.move("P001", login_count_30d=0.0, days_since_last_login=40.0)
    nights.run(days=0)
    found = nights.reader.of_partner("P001", identity=ROOT)
    assert found["changed_since"]["model"] == "model unchanged"
    assert found["changed_since"]["by"]["behaviour"] < -5
    logins = [m for m in found["changed_since"]["moved"] if m["feature"] == "login_count_30d"]
    assert [(m["before"], m["after"]) for m in logins] == [(22.0, 0.0)]


def test_components_sum_to_the_score_exactly(nights: Nights) -> None:
    nights.run(days=0)
    for partner in nights.frame.index[:20]:
        found = nights.reader.of_partner(partner, identity=ROOT)
        total = (
            found["start_points"] + sum(c["points"] for c in found["components"]) + found["context"]["points"]
        )
        assert abs(total - found["health_points"]) < 1e-9
        assert found["health_score"] == round(np.clip(total, 0, 100))


def test_a_correction_and_a_setting_are_told_apart_from_behaviour(nights: Nights) -> None:
    nights.move("P004", login_count_30d=3.0, registered_count_90d=0.0)
    nights.run(rework=Rework("old settings"))
    old = nights.frame.reset_index()[["partner_id", *nights.frame.columns]]
    better = old.assign(login_count_30d=old["login_count_30d"] + 10)
    wider = old.assign(registered_count_90d=old["registered_count_90d"] + 2)
    one = old["partner_id"] == "P004"
    rework = Rework("new settings", rebuilt=lambda _: wider, corrected=lambda _: (old[one], better[one]))
    nights.run(days=0, rework=rework)
    by = nights.reader.of_partner("P004", identity=ROOT)["changed_since"]["by"]
    assert by["data_correction"] != 0.0
    assert by["configuration_change"] != 0.0
    assert abs(sum(by.values())) < 1e-3, "the features of now are those of then"
    other = nights.reader.of_partner("P005", identity=ROOT)["changed_since"]["by"]
    assert other["data_correction"] == 0.0


def test_a_broken_feed_is_a_stale_source_and_opens_no_alert(nights: Nights) -> None:
    for _ in range(3):
        nights.run()
    before = {a["alert_id"] for a in queue_of(nights)}
    nights.stale_views = frozenset({"engagement"})
    nights.frame["login_count_30d"] = 0.0
    nights.frame["days_since_last_login"] = 400.0
    for _ in range(3):
        nights.run(silent_feeds=("events",))
    after = {a["alert_id"]: a for a in queue_of(nights)}
    assert {i for i, a in after.items() if a["kind"] == "risk"} <= before
    assert [a["partner_id"] for a in after.values() if a["kind"] == "feed"] == ["events"]
    found = nights.reader.of_partner("P003", identity=ROOT)
    assert [c["stale_source"] for c in found["components"] if c["component"] == "engagement"] == [True]
    assert found["changed_since"]["by"]["behaviour"] == 0.0


def test_a_channel_manager_sees_its_own_alerts_and_nobody_elses(nights: Nights) -> None:
    nights.run()
    mine = nights.queue.page(Wanted(), identity=KIM)["alerts"]
    assert mine
    assert {a["manager_id"] for a in mine} == {"M1"}
    assert nights.queue.page(Wanted(manager_id="M2"), identity=KIM)["alerts"] == []
    for call in (
        lambda i: nights.queue.one(i, identity=LEE),
        lambda i: nights.queue.acknowledge(i, identity=LEE),
        lambda i: nights.queue.close(i, outcome="saved", identity=LEE),
    ):
        with pytest.raises(NotFoundError, match="There is no such alert"):
            call(mine[0]["alert_id"])
    with pytest.raises(NotFoundError):
        nights.reader.of_partner("P001", identity=KIM)


def test_pages_hold_every_alert_once(nights: Nights) -> None:
    nights.run()
    found, cursor = [], None
    while True:
        page = nights.queue.page(Wanted(limit=3, cursor=cursor), identity=ROOT)
        found += [a["alert_id"] for a in page["alerts"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == [a["alert_id"] for a in queue_of(nights)]


@pytest.mark.parametrize("cursor", ["x", "!!", "bnVsbA", ""])
def test_a_foreign_cursor_is_refused(nights: Nights, cursor: str) -> None:
    if cursor:
        with pytest.raises(InputError, match="cursor"):
            nights.queue.page(Wanted(cursor=cursor), identity=ROOT)


def test_an_alert_is_worked_through_and_every_step_is_kept(nights: Nights) -> None:
    nights.run()
    first = str(queue_of(nights)[0]["alert_id"])
    nights.queue.acknowledge(first, identity=ROOT)
    nights.queue.acknowledge(first, identity=ROOT)
    nights.queue.assign(first, assignee="Robin", identity=ROOT)
    nights.queue.snooze(first, until=nights.now.date() + timedelta(days=7), reason="shutdown", identity=ROOT)
    assert first not in {a["alert_id"] for a in queue_of(nights)}
    nights.run()
    assert first in {a["alert_id"] for a in queue_of(nights, state="snoozed")}
    nights.run()
    assert [a["returned_on"] for a in queue_of(nights) if a["alert_id"] == first] != [None]
    nights.queue.close(first, outcome="false_alarm", note="they moved office", identity=ROOT)
    found = nights.queue.one(first, identity=ROOT)
    assert [h["what"] for h in found["happened"]] == [
        "opened", "acknowledged", "assigned", "snoozed", "returned", "closed",
    ]  # fmt: skip
    assert (found["outcome"], found["note"], found["assignee"]) == (
        "false_alarm",
        "they moved office",
        "Robin",
    )
    types = [e.type for e in outbox.read_after(nights.database, 0, limit=500) if e.object == first]
    assert types == ["alert.opened", "alert.assigned", "alert.snoozed", "alert.returned", "alert.closed"]
    assert audit.broken_rows(nights.database) == []


def test_last_mondays_queue_is_shown_exactly_as_it_was(nights: Nights) -> None:
    nights.run(days=0)
    moment = nights.now
    monday = nights.queue.page(ALL, identity=ROOT)["alerts"]
    nights.now += timedelta(days=1)
    nights.queue.close(str(monday[0]["alert_id"]), outcome="saved", identity=ROOT)
    nights.now += timedelta(days=6)
    nights.move(str(monday[1]["partner_id"]), login_count_30d=30.0)
    nights.promote("2", seed=4)
    nights.run()
    seen = nights.queue.as_of(moment, ALL, identity=ROOT)["alerts"]
    assert seen == monday
    assert nights.queue.as_of(moment - timedelta(days=1), ALL, identity=ROOT)["alerts"] == []
    own = nights.queue.as_of(moment, ALL, identity=LEE)["alerts"]
    assert {a["manager_id"] for a in own} == {"M2"}


def test_nobody_has_seen_the_queue_of_tomorrow(nights: Nights) -> None:
    nights.run(days=0)
    now, evening = nights.now, nights.now.replace(hour=23, minute=59)
    shown = nights.queue.as_of(evening, ALL, identity=ROOT)
    assert shown["alerts"] == nights.queue.page(ALL, identity=ROOT)["alerts"]
    with pytest.raises(InputError, match="Nobody has seen"):
        nights.queue.as_of(now + timedelta(days=1), ALL, identity=ROOT)


def test_every_opened_alert_is_a_decision_that_replays_bit_for_bit(nights: Nights) -> None:
    """With the score, the model and the policy it was opened with; read by those who see the partner."""
    nights.run(days=0)
    opened = {str(a["alert_id"]): a for a in queue_of(nights)}
    nights.now += timedelta(days=7)
    nights.promote("2", seed=2)
    moment = nights.now - timedelta(days=1)
    before = nights.queue.as_of(moment, ALL, identity=ROOT)
    nights.run()
    replay = Replay(
        DecisionLog(nights.database),
        model_of=lambda model, version, identity: nights.models[version],
        sees=lambda partner, who: nights.managers.get(partner) == who.manager_id,
    )
    for alert in queue_of(nights):
        if str(alert["alert_id"]) not in opened:
            continue
        first = opened[str(alert["alert_id"])]
        assert alert["decision_id"] == first["decision_id"]
        shown = replay.show(str(alert["decision_id"]), identity=ROOT)
        assert shown["replayed"] == "identical"
        assert (shown["model_version"], shown["owner"]) == ("1", "refresh")
        assert shown["details"]["policy"] == LOW.model_dump(mode="json")
        (score,) = shown["response"]["scores"].values()
        assert score["value"] == first["churn_probability_90"]
        mine, other = (KIM, LEE) if alert["manager_id"] == "M1" else (LEE, KIM)
        if alert["manager_id"] == mine.manager_id:
            assert replay.show(str(alert["decision_id"]), identity=mine)["replayed"] == "identical"
        with pytest.raises(NotFoundError):
            replay.show(str(alert["decision_id"]), identity=other)
    assert nights.queue.as_of(moment, ALL, identity=ROOT) == before


def test_an_override_holds_through_refresh_and_retraining_and_both_values_show(nights: Nights) -> None:
    nights.run()
    calm = min(
        nights.frame.index, key=lambda p: nights.reader.of_partner(p, identity=ROOT)["churn_probability_90"]
    )
    expires = nights.now + timedelta(days=20)
    nights.queue.override(
        calm, state="at_risk", reason="they told me on the phone", expires_at=expires, identity=ROOT
    )
    assert nights.run().opened >= 1
    nights.promote("2", seed=3)
    nights.run()
    found = nights.reader.of_partner(calm, identity=ROOT)
    assert (found["state"], found["model_state"]) == ("at_risk", "ok")
    assert found["override"]["reason"] == "they told me on the phone"
    alert = next(a for a in queue_of(nights) if a["partner_id"] == calm)
    assert (alert["kind"], alert["state"], alert["model_state"]) == ("manual", "at_risk", "ok")
    nights.run()
    nights.run()
    assert calm not in {a["partner_id"] for a in queue_of(nights)}


def test_held_out_alerts_are_shown_and_told_to_nobody(tmp_path: Path) -> None:
    nights = Nights(
        tmp_path, settings=LOW.model_copy(update={"holdout_share": 0.5, "budget_per_manager": 50})
    )
    done = nights.run()
    with nights.database.read() as connection:
        held = (
            connection.execute(select(ALERTS.c.alert_id).where(ALERTS.c.held_out.is_(True))).scalars().all()
        )
    assert len(held) == done.held_out > 0
    shown = {a["alert_id"] for a in queue_of(nights, state="all")}
    told = {e.object for e in outbox.read_after(nights.database, 0, limit=500)}
    assert not shown & set(held)
    assert not told & set(held)
    assert nights.queue.as_of(nights.now, ALL, identity=ROOT)["alerts"]
    with pytest.raises(NotFoundError):
        nights.queue.one(held[0], identity=ROOT)
    nights.database.close()


def test_what_would_change_is_verified_by_scoring_again(nights: Nights) -> None:
    nights.run(days=0)
    plans = [nights.reader.of_partner(str(a["partner_id"]), identity=ROOT) for a in queue_of(nights)[:5]]
    found = [p["what_would_change"] for p in plans if p["what_would_change"]]
    assert found
    for plan in found:
        assert 1 <= len(plan["actions"]) <= 2
        assert plan["churn_probability_90_then"] < plan["churn_probability_90_now"]
        assert "association" in plan["wording"].lower()
        assert "partner will" not in plan["wording"]


def test_the_past_is_rebuilt_once_so_that_a_trend_is_there_at_once(nights: Nights) -> None:
    nights.move("P003", login_count_30d=0.0, days_since_last_login=60.0)
    rows = nights.frame.reset_index().assign(login_count_30d=20.0, days_since_last_login=2.0)
    past = [(date(2026, 11, 2) - timedelta(days=30 * months), rows) for months in (3, 2, 1)]
    nights.run(days=0, past=lambda: past)
    nights.run(days=0, past=lambda: past)
    found = nights.reader.of_partner("P003", identity=ROOT)
    assert [h["rebuilt"] for h in found["history"]] == [True, True, True, False]
    assert found["trend"] == "declining"


def test_parts_of_every_change_in_the_history_add_up(nights: Nights) -> None:
    rng = np.random.default_rng(2)
    for k in range(4):
        nights.frame["login_count_30d"] = np.maximum(
            nights.frame["login_count_30d"] + rng.integers(-4, 5, 60), 0
        )
        if k == 2:
            nights.promote("2", seed=2)
        nights.run()
    with nights.database.read() as connection:
        rows = connection.execute(select(HEALTH_HISTORY).order_by(HEALTH_HISTORY.c.as_of)).mappings().all()
    by_partner: dict[str, list[dict[str, object]]] = {}
    for row in rows:
        by_partner.setdefault(row["partner_id"], []).append(dict(row))
    for points in by_partner.values():
        for before, after in itertools.pairwise(points):
            parts = json.loads(str(after["detail"]))["parts"]
            assert set(parts) == set(PARTS)
            assert abs(sum(parts.values()) - (after["points"] - before["points"])) < 1e-9
