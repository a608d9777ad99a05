"""Idempotency keys of routing: one execution, the same bytes again, and nothing left of who was erased."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from sqlalchemy import select

from data.errors import InputError, NotFoundError
from serving.decisions import canonical
from serving.errors import ConflictError
from serving.routing.idempotency import AnsweredError, Idempotency
from serving.routing.tables import IDEMPOTENCY
from tests.unit.routing.shop import OTHER, PRM, Shop


def test_one_key_routes_once_and_gives_the_same_bytes_again(fresh: Shop) -> None:
    routing, wanted = fresh.routing.routing, fresh.lead()
    given: dict[str, Any] = {"key": "k", "request": {"a": 1}, "personal": {}}
    first = routing.route(wanted, **given, identity=PRM)
    assert routing.route(wanted, **given, identity=PRM) == first
    with pytest.raises(InputError, match="another request"):
        routing.route(wanted, **{**given, "request": {"a": 2}}, identity=PRM)
    other = json.loads(routing.route(wanted, **given, identity=OTHER))
    assert other["decision_id"] != json.loads(first)["decision_id"]
    with pytest.raises(NotFoundError):
        fresh.decision(json.loads(first)["decision_id"], identity=OTHER)


def test_a_second_request_is_told_that_the_first_is_under_way(fresh: Shop) -> None:
    keys = fresh.routing.routing.idempotency
    with keys.claim("k", {"a": 1}, owner="crm"):
        with pytest.raises(ConflictError, match="under way"), keys.claim("k", {"a": 1}, owner="crm"):
            pass
        with pytest.raises(InputError, match="another request"), keys.claim("k", {"a": 2}, owner="crm"):
            pass
        with keys.claim("k", {"a": 1}, owner="another"):
            pass
    with keys.claim("k", {"a": 1}, owner="crm"):
        pass


def test_who_finds_the_key_taken_at_commit_is_undone_and_gives_the_first_answer(fresh: Shop) -> None:
    # Two workers: each has its own idea of what is under way.
    edges, database = fresh.runtime.shared.edges, fresh.runtime.shared.database
    here, there = (Idempotency(database, clock=edges.clock, random=edges.random) for _ in range(2))
    with here.claim("k", {"a": 1}, owner="crm") as mine, there.claim("k", {"a": 1}, owner="crm") as theirs:
        with database.write() as connection:
            here.finish(connection, mine, "first")
        with pytest.raises(AnsweredError), database.write() as connection:
            there.finish(connection, theirs, "second")
        with database.read() as connection:
            assert there.stored(connection, theirs) == "first"


def test_keys_are_remembered_as_long_as_the_settings_say(fresh: Shop) -> None:
    routing, days = fresh.routing.routing, fresh.routing.settings.idempotency_days
    fresh.route(key="old")
    fresh.clock.advance((days - 1) * 86_400)
    fresh.route(key="young")
    assert routing.forget_keys() == 0
    fresh.clock.advance(2 * 86_400)
    assert routing.forget_keys() == 1
    with fresh.runtime.shared.database.read() as connection:
        assert connection.execute(select(IDEMPOTENCY.c.key)).scalars().all() == ["young"]


NAMED = {"email": "canary@person.example"}


def test_after_an_erasure_nothing_on_record_verifies_a_guess_and_a_retry_is_answered(fresh: Shop) -> None:
    wanted, routing = fresh.lead(), fresh.routing.routing
    request = wanted.lead.to_json()
    given: dict[str, Any] = {"key": "k", "request": {"route": 1}, "identity": PRM}
    first = routing.route(wanted, personal=NAMED, **given)
    for other in ({"email": "somebody@else.example"}, {}):
        with pytest.raises(InputError, match="another request"):
            routing.route(wanted, personal=other, **given)
    fresh.routing.wishes.erase(wanted.lead.lead_id, identity=PRM)
    with fresh.runtime.shared.database.read() as connection:
        row = connection.execute(select(IDEMPOTENCY).where(IDEMPOTENCY.c.key == "k")).mappings().one()
    guesses = [{**request, "contact": NAMED}, {"route": {"route": 1}, "contact": NAMED}, NAMED]
    hashes = {hashlib.sha256(canonical(g).encode()).hexdigest() for g in guesses}
    assert not hashes & {str(v) for v in row.values()}
    assert (row["salt"], row["contact_sha256"]) == (None, "erased")
    assert routing.route(wanted, personal=NAMED, **given) == first
    assert routing.route(wanted, personal={}, **given) == first
    with pytest.raises(InputError, match="another request"):
        routing.route(wanted, **{**given, "request": {"route": 2}}, personal=NAMED)


@pytest.mark.parametrize("key", ["", " ", " k", "k ", "k\n", "a\tb", "grün", "\u200b", "k" * 201])
def test_what_a_header_cannot_carry_unchanged_is_no_key(fresh: Shop, key: str) -> None:
    with pytest.raises(InputError, match="cannot be used") as refused:
        fresh.routing.routing.idempotency.claim(key, {}, owner="crm").__enter__()
    assert refused.value.pointer == "/Idempotency-Key"


@pytest.mark.parametrize("key", ["k", "lead 42, again", '{"crm":"a~b"}', "k" * 200])
def test_a_key_is_any_printable_ascii(fresh: Shop, key: str) -> None:
    with fresh.routing.routing.idempotency.claim(key, {}, owner="crm"):
        pass
