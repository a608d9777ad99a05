"""Events in, webhooks out: kept once, signed, tried again, given up visibly, never to a forbidden place."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update
from standardwebhooks import Webhook, WebhookVerificationError

from data.errors import InputError, NotFoundError
from serving import outbox
from serving.auth import Identity
from serving.health.delivering import Dispatcher
from serving.health.intake import EventIntake, check_events
from serving.health.sending import Place, Sent, is_public, place_of
from serving.health.tables import DELIVERIES, RECEIVED
from serving.health.webhooks import MOST_SHOWN, SCHEDULE, Webhooks
from serving.outbox import News
from tests.unit.health.nights import KIM, MONDAY, ROOT, Nights
from tests.unit.health.test_nights import ALL, LOW

PRM = Identity("k9", "prm", "prm")
NOW = MONDAY.replace(hour=9)


def event(number: int = 1, **changes: Any) -> dict[str, Any]:
    plain = {"event_id": f"E{number}", "partner_id": "P001", "event_type": "portal_login",
             "event_at": "2026-11-02T08:00:00Z"}  # fmt: skip
    return {**plain, **changes}


@pytest.fixture
def nights(tmp_path: Path) -> Iterator[Nights]:
    made = Nights(tmp_path, settings=LOW)
    yield made
    made.database.close()


def intake_of(nights: Nights) -> EventIntake:
    return EventIntake(
        nights.database, view=nights.view, quarantine=nights.folder / "quarantine", clock=lambda: nights.now,
        random=os.urandom,
    )  # fmt: skip


def rows_of(nights: Nights) -> list[Mapping[str, Any]]:
    with nights.database.read() as connection:
        return [dict(r) for r in connection.execute(select(RECEIVED).order_by(RECEIVED.c.seq)).mappings()]


def test_an_event_sent_again_is_kept_once(nights: Nights) -> None:
    intake = intake_of(nights)
    nights.now = NOW
    sent = [event(i) for i in range(5)]
    first = intake.take(sent, identity=PRM)
    nights.now += timedelta(minutes=1)
    again = intake.take([*sent, event(9), event(9)], identity=PRM)
    assert (first["accepted"], first["repeated"]) == (5, 0)
    assert (again["accepted"], again["repeated"]) == (1, 6)
    assert len(rows_of(nights)) == 6


def test_an_event_with_other_content_corrects_the_first_from_now_on(nights: Nights) -> None:
    intake = intake_of(nights)
    nights.now = NOW
    intake.take([event(1)], identity=PRM)
    nights.now += timedelta(hours=1)
    assert intake.take([event(1, event_type="meeting")], identity=PRM)["accepted"] == 1
    kept = [json.loads(r["row"]) for r in rows_of(nights)]
    assert [(r["event_type"], r["known_at"]) for r in kept] == [("meeting", "2026-11-02T10:00:00.000000")]


def test_a_correction_is_known_when_it_came_whatever_its_sender_states(nights: Nights) -> None:
    intake = intake_of(nights)
    nights.now = NOW
    intake.take([event(1)], identity=PRM)
    nights.now += timedelta(days=9)
    intake.take([event(1, event_type="meeting", known_at="2026-11-02T08:30:00Z")], identity=PRM)
    kept = [json.loads(r["row"]) for r in rows_of(nights)]
    assert [(r["event_type"], r["known_at"]) for r in kept] == [("meeting", "2026-11-11T09:00:00.000000")]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"partner_id": "nobody"}, "partner_id"),
        ({"event_at": "2026-11-02T09:30:00Z"}, "event_at"),
        ({"event_at": "2026-11-02T08:00:00"}, "event_at"),
        ({"event_at": "2026-11-02"}, "event_at"),
        ({"event_at": "1969-01-01T00:00:00Z"}, "event_at"),
        ({"event_at": 5}, "event_at"),
        ({"event_id": ""}, "event_id"),
        ({"event_id": "a\nb"}, "event_id"),
        ({"event_type": None}, "event_type"),
        ({"quantity": -1}, "quantity"),
        ({"quantity": True}, "quantity"),
        ({"known_at": "2026-11-01T00:00:00Z"}, "known_at"),
        ({"row_hash": "x"}, "row_hash"),
    ],
)
def test_a_faulty_event_is_an_entry_and_lies_in_the_quarantine(
    nights: Nights, changes: dict[str, Any], field: str
) -> None:
    nights.now = NOW
    found = intake_of(nights).take([event(1), event(2, **changes)], identity=PRM)
    assert found["accepted"] == 1
    assert [(e["row"], e["errors"][0]["pointer"]) for e in found["errors"]] == [(1, f"/events/1/{field}")]
    assert len(list((nights.folder / "quarantine").glob("*.csv"))) == 1


@given(st.lists(st.one_of(st.none(), st.integers(), st.text(max_size=5), st.dictionaries(
    st.sampled_from(["event_id", "partner_id", "event_type", "event_at", "quantity", "x"]),
    st.one_of(st.none(), st.integers(), st.text(max_size=30), st.booleans(), st.floats()), max_size=6)),
    max_size=8))  # fmt: skip
def test_every_event_is_either_kept_or_told(events: list[Any]) -> None:
    good, bad = check_events(events, now=NOW, knows=lambda _: True)
    assert len(good) + len(bad) == len(events)


def test_a_channel_manager_hears_of_its_own_partners_only(nights: Nights) -> None:
    nights.run()
    intake = intake_of(nights)
    everything = intake.told(0, limit=500, kind=None, identity=PRM)["events"]
    mine = intake.told(0, limit=500, kind=None, identity=KIM)["events"]
    assert 0 < len(mine) < len(everything)
    assert {nights.managers[e["data"]["partner_id"]] for e in mine} == {"M1"}
    page = intake.told(0, limit=2, kind="alert.opened", identity=PRM)
    rest = intake.told(page["next_after"], limit=500, kind="alert.opened", identity=PRM)
    assert len(page["events"]) + len(rest["events"]) == sum(e["type"] == "alert.opened" for e in everything)


class Receiver:
    """Answers as it is told, and keeps what it got."""

    def __init__(self, *answers: int | None) -> None:
        self.answers, self.got = list(answers), []

    def __call__(self, place: Place, body: bytes, headers: Mapping[str, str]) -> Sent:
        self.got.append((dict(headers), body))
        status = self.answers.pop(0) if self.answers else 200
        return Sent(status, "" if status else "no answer in time")


def hooks_of(nights: Nights) -> Webhooks:
    return Webhooks(nights.database, allowed=(), clock=lambda: nights.now, random=os.urandom)


def test_what_happened_is_told_once_to_those_who_asked(nights: Nights) -> None:
    hooks, receiver = hooks_of(nights), Receiver()
    hooks.register("https://example.com/x", types=["alert.opened"], manager_id="M1", identity=PRM)
    nights.run(days=0)
    dispatcher = Dispatcher(hooks, send=receiver)
    assert dispatcher.work()
    assert not dispatcher.work()
    told = [json.loads(b) for _, b in receiver.got]
    queue = nights.queue.page(ALL, identity=KIM)
    assert {t["data"]["alert_id"] for t in told} == {a["alert_id"] for a in queue["alerts"]}
    assert {t["type"] for t in told} == {"alert.opened"}


def test_a_failing_receiver_is_tried_by_the_schedule_and_then_given_up_visibly(nights: Nights) -> None:
    hooks, receiver = hooks_of(nights), Receiver(*[None, 500, 302] * 10)
    made = hooks.register("https://example.com/x", types=["model.promoted"], manager_id=None, identity=PRM)
    nights.run(days=0)
    nights.promote("2", seed=2)
    nights.run(days=0)
    dispatcher, begun, times = Dispatcher(hooks, send=receiver), nights.now, []
    for _ in range(24 * 60 * 4):
        before = len(receiver.got)
        dispatcher.work()
        times += [nights.now] * (len(receiver.got) - before)
        shown = hooks.deliveries(made["webhook_id"], identity=PRM)["deliveries"]
        if shown[0]["state"] == "dead":
            break
        pause = next((d for d in [shown[0]["next_at"]] if d), None)
        nights.now = max(nights.now + timedelta(seconds=1), _time(pause))
    assert [b - a for a, b in itertools.pairwise(times)] == [*SCHEDULE]
    assert times[0] == begun
    assert len({h["webhook-id"] for h, _ in receiver.got}) == 1
    assert len({b for _, b in receiver.got}) == 1
    assert (shown[0]["state"], shown[0]["attempts"]) == ("dead", len(SCHEDULE) + 1)
    receiver.answers.clear()
    hooks.revive(made["webhook_id"], identity=PRM)
    dispatcher.work()
    assert hooks.deliveries(made["webhook_id"], identity=PRM)["deliveries"][0]["state"] == "delivered"


def _time(text: str | None) -> Any:
    return datetime.min if text is None else datetime.fromisoformat(text.removesuffix("Z"))


def test_410_ends_a_registration(nights: Nights) -> None:
    hooks, receiver = hooks_of(nights), Receiver(410)
    made = hooks.register("https://example.com/x", types=[], manager_id=None, identity=PRM)
    nights.run(days=0)
    Dispatcher(hooks, send=receiver).work()
    assert hooks.deliveries(made["webhook_id"], identity=PRM)["webhook"]["disabled_at"] is not None


def test_signatures_hold_with_an_independent_library_also_while_rotating(nights: Nights) -> None:
    hooks, receiver = hooks_of(nights), Receiver()
    nights.now = datetime.now(UTC).replace(tzinfo=None)
    made = hooks.register("https://example.com/x", types=[], manager_id=None, identity=PRM)
    new = hooks.rotate(made["webhook_id"], identity=PRM)
    nights.run(days=0)
    Dispatcher(hooks, send=receiver).work()
    headers, body = receiver.got[0]
    for secret in (made["secret"], new["secret"]):
        Webhook(secret).verify(body, headers)
    for wrong in (body + b" ", body.replace(b"alert", b"alarm")):
        with pytest.raises(WebhookVerificationError):
            Webhook(new["secret"]).verify(wrong, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new["secret"]).verify(body, {**headers, "webhook-timestamp": "1"})


def test_anothers_webhook_does_not_exist_and_no_secret_is_shown_again(nights: Nights) -> None:
    hooks = hooks_of(nights)
    made = hooks.register("https://example.com/x", types=[], manager_id=None, identity=PRM)
    other = Identity("k8", "other", "prm")
    for call in (hooks.deliveries, hooks.rotate, hooks.disable, hooks.revive):
        with pytest.raises(NotFoundError):
            call(made["webhook_id"], identity=other)
    assert hooks.registered(identity=other) == []
    assert [h["secret"] for h in hooks.registered(identity=ROOT)] == [None]


BAD = (
    "http://example.com/", "ftp://example.com/", "https://127.0.0.1/", "https://localhost/", "https://[::1]/",
    "https://10.0.0.1/", "https://192.168.1.1/", "https://172.16.0.1/", "https://169.254.169.254/latest",
    "https://[fe80::1]/", "https://[fd00::1]/", "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/",
    "https://0.0.0.0/", "https://2130706433/", "https://0x7f000001/", "https://0177.0.0.1/", "https://127.1/",
    "https://example.com@127.0.0.1/", "https://user:pw@example.com/", "https://example.com#@127.0.0.1/",
    "https://intranet/", "https://db.local/", "https://metadata.google.internal/", "https://100.64.0.1/",
    "https://224.0.0.1/", "https://[2002:7f00:1::]/", "https://example.com:0/", "https://example.com:99999/",
    "https:///x", "https://exa mple.com/", "https://①②⑦.⓪.⓪.①/", "//example.com/", "javascript:alert(1)", "",
    "https://[::127.0.0.1]/", "https://example.com\\@127.0.0.1/",
)  # fmt: skip


@pytest.mark.parametrize("url", BAD)
def test_addresses_inside_or_odd_are_refused(url: str) -> None:
    with pytest.raises(InputError):
        place_of(url, allowed=())


def test_a_host_the_operator_named_may_be_called() -> None:
    assert place_of("http://crm.internal:8080/a?b=1", allowed=("crm.internal:8080",)).target == "/a?b=1"
    with pytest.raises(InputError):
        place_of("http://crm.internal:8081/a", allowed=("crm.internal:8080",))
    assert place_of("https://hooks.example.com/a", allowed=()).port == 443


def test_what_is_public() -> None:
    assert is_public("93.184.216.34")
    assert is_public("2606:2800:220:1:248:1893:25c8:1946")
    for address in ("127.0.0.1", "10.1.1.1", "::1", "fe80::1%eth0", "::ffff:10.0.0.1", "100.64.0.1"):
        assert not is_public(address)


def test_a_receiver_may_ask_for_what_happens_to_leads_and_tiers(nights: Nights) -> None:
    kinds = ["lead.conflict_hold", "lead.declined", "lead.offered", "lead.unassigned", "tier.changed"]
    made = hooks_of(nights).register("https://example.com/x", types=kinds, manager_id=None, identity=PRM)
    assert made["types"] == kinds


def test_a_receiver_that_never_answers_keeps_no_other_waiting(nights: Nights) -> None:
    hooks, answered, hung = hooks_of(nights), list[str](), Event()

    def send(place: Place, body: bytes, headers: Any) -> Sent:
        if place.host == "silent.example.com":
            hung.wait(20)
            return Sent(None, "no answer")
        answered.append(headers["webhook-id"])
        return Sent(204)

    for host in ("silent", "good"):
        hooks.register(f"https://{host}.example.com/x", types=[], manager_id=None, identity=PRM)
    news = [News("lead.offered", f"L{n}", None, {"lead_id": f"L{n}"}) for n in range(300)]
    with nights.database.write() as connection:
        told = outbox.append_within(connection, news, at=nights.now, random=os.urandom)
    dispatcher = Dispatcher(hooks, send=send)
    begun = monotonic()
    while len(answered) < 300 and monotonic() - begun < 15:
        dispatcher.work()
    hung.set()
    assert sorted(answered) == sorted(e.event_id for e in told)


def test_dead_letters_are_shown_however_many_deliveries_came_after(nights: Nights) -> None:
    hooks = hooks_of(nights)
    made = hooks.register("https://example.com/x", types=[], manager_id=None, identity=PRM)
    news = [News("lead.offered", f"L{n}", None, {"lead_id": f"L{n}"}) for n in range(MOST_SHOWN + 50)]
    with nights.database.write() as connection:
        first = outbox.append_within(connection, news, at=nights.now, random=os.urandom)[0]
    hooks.enqueue()
    with nights.database.write() as connection:
        connection.execute(update(DELIVERIES).where(DELIVERIES.c.seq == first.seq).values(state="dead"))
    shown = hooks.deliveries(made["webhook_id"], identity=PRM)["deliveries"]
    assert (shown[0]["event_id"], shown[0]["state"], len(shown)) == (first.event_id, "dead", MOST_SHOWN)
    assert [d["seq"] for d in shown[1:]] == sorted((d["seq"] for d in shown[1:]), reverse=True)
