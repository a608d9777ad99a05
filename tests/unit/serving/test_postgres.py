"""The same state on PostgreSQL."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from serving import audit
from serving.auth import Identity, Keyring, create_key, revoke_key
from serving.decisions import DecisionLog
from serving.routing.idempotency import AnsweredError, Idempotency
from serving.routing.store import take
from serving.state import Database
from tests.servers import postgres_server, skip_without_postgres
from tests.unit.serving.test_decisions import decision
from tests.unit.serving.world import NOW, Clock

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    skip_without_postgres()
    with postgres_server() as server:
        yield server.url


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url)
    database.migrate()
    yield database
    database.close()


def test_keys_decisions_and_the_audit_chain_work_on_postgresql(database: Database) -> None:
    clock = Clock()
    key = create_key(database, owner="Kim", role="prm", now=NOW, random=os.urandom)
    keys = Keyring(database, clock=lambda: clock.at, ticks=lambda: clock.ticks)
    identity = keys.verify(f"Bearer {key}")
    assert identity is not None
    log = DecisionLog(database)
    log.record([decision(n, a=n / 7, b="x") for n in range(200)], identity=identity, at=NOW)
    log.record([decision(n, a=n / 7, b="x") for n in range(200, 210)], identity=identity, at=NOW)
    assert DecisionLog(database).read(f"dec_{77:026d}", identity=identity).decision == decision(
        77, a=11.0, b="x"
    )
    with pytest.raises(Exception, match="duplicate key"):
        log.record([decision(500, a=1.0), decision(1, a=1.0)], identity=identity, at=NOW)
    assert log.count() == 210
    revoke_key(database, identity.key_id, now=NOW)
    clock.advance(5)
    assert keys.verify(f"Bearer {key}") is None
    assert audit.broken_rows(database) == []


def test_a_full_partner_is_never_taken_and_a_key_is_answered_once_on_postgresql(database: Database) -> None:
    with database.write() as connection:
        taken = [take(connection, "P1", capacity=2, at=NOW, seq=1, sqlite_=False) for _ in range(4)]
    assert taken == [True, True, False, False]
    first, second = (Idempotency(database, clock=lambda: NOW, random=os.urandom) for _ in range(2))
    with first.claim("k", {}, owner="crm") as mine, second.claim("k", {}, owner="crm") as theirs:
        with database.write() as connection:
            first.finish(connection, mine, "the answer")
        with pytest.raises(AnsweredError), database.write() as connection:
            second.finish(connection, theirs, "another")
        with database.read() as connection:
            assert second.stored(connection, theirs) == "the answer"


def test_workers_that_boot_or_write_at_once_wait_for_each_other(url: str, database: Database) -> None:
    before = audit.head(database)[0]

    def work(name: str) -> None:
        own = Database(url)
        for i in range(10):
            audit.append(own, at=NOW, actor=name, action="denied", object=str(i))
            layout = decision(int(name) * 1000 + i, **{f"c{i}": 1.0})
            DecisionLog(own).record([layout], identity=Identity("k", "o", "prm"), at=NOW)
        own.close()

    threads = [threading.Thread(target=work, args=(str(n + 1),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert audit.head(database)[0] - before == 40
    assert audit.broken_rows(database) == []


def test_a_text_postgresql_cannot_hold_is_a_fault_of_the_row_before_it_gets_there(database: Database) -> None:
    from models.churn import SPEC
    from serving.rows import check_rows

    good, bad = check_rows([{"partner_id": "a\x00b", "features": {}}], SPEC)
    assert (good, len(bad)) == ([], 1)
