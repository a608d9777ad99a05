"""What all capabilities share, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from data.errors import InputError, NotFoundError, PromotionConflictError
from serving import audit, outbox
from serving.auth import Identity
from serving.jobs import STILL_SECONDS, Job, Jobs, Progress
from serving.logs import EventLog
from serving.outbox import News
from serving.overrides import Overrides
from serving.policies import InForce, Policies
from serving.state import Database
from tests.servers import postgres_server, skip_without_postgres
from tests.unit.serving.world import NOW, Clock

KIM = Identity("k1", "Kim", "channel_manager", "M1")
LEE = Identity("k2", "Lee", "recruiter")
ROOT = Identity("k3", "root", "admin")
DAY = timedelta(days=1)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        yield from _migrated(f"sqlite:///{tmp_path / 'state.db'}")
        return
    skip_without_postgres()
    with postgres_server() as server:
        yield from _migrated(server.url)


def _migrated(url: str) -> Iterator[Database]:
    database = Database(url)
    database.migrate()
    yield database
    database.close()


def test_a_policy_is_versioned_and_changed_by_compare_and_swap(database: Database) -> None:
    policies = Policies(database)
    first = policies.add("routing", "plain", {"share": 0.05}, author="Kim", at=NOW)
    assert policies.add("routing", "plain", {"share": 0.05}, author="Lee", at=NOW) == first
    second = policies.add("routing", "plain", {"share": 0.1}, author="Kim", at=NOW)
    assert [p.version for p in policies.versions("routing")] == [2, 1]
    assert policies.in_force("routing") is None

    def put(new: InForce, expected: InForce | None) -> None:
        policies.put_in_force("routing", new, expected=expected, author="Kim", reason="go", at=NOW)

    put(InForce(1), None)
    put(InForce(1, second.version, 0.1), InForce(1))
    with pytest.raises(PromotionConflictError):
        put(InForce(2), InForce(1))
    assert policies.in_force("routing") == InForce(1, 2, 0.1)
    with pytest.raises(NotFoundError):
        put(InForce(9), InForce(1, 2, 0.1))
    with pytest.raises(InputError, match="canary"):
        put(InForce(1, None, 0.2), InForce(1, 2, 0.1))
    assert audit.broken_rows(database) == []


def test_an_override_holds_until_it_expires_or_is_withdrawn(database: Database) -> None:
    overrides = Overrides(database, random=os.urandom)

    def add(entity: str, value: str, days: int) -> str:
        made = overrides.add(
            "churn",
            entity,
            value=value,
            model_value=0.2,
            reason="told me on the phone",
            expires_at=NOW + days * DAY,
            identity=KIM,
            at=NOW,
        )
        return made.override_id

    add("A", "at_risk", 5)
    again = add("A", "ok", 7)
    add("B", "at_risk", 3)
    held = overrides.holding("churn", at=NOW + 4 * DAY)
    assert {e: (o.value, o.model_value, o.author) for e, o in held.items()} == {"A": ("ok", 0.2, "Kim")}
    overrides.withdraw(again, identity=LEE, at=NOW + 4 * DAY)
    overrides.withdraw(again, identity=KIM, at=NOW + 5 * DAY)
    assert overrides.read(again).withdrawn_by == "Lee"
    assert overrides.holding("churn", at=NOW + 4 * DAY) == {}
    # As it was seen on an earlier day.
    assert set(overrides.holding("churn", at=NOW + DAY, entity_ids=["A"])) == {"A"}
    assert len(overrides.history("churn")) == 3
    assert [o.value for o in overrides.history("churn", "B")] == ["at_risk"]


@pytest.mark.parametrize(("reason", "days"), [(" ", 1), ("why", 0), ("x" * 2001, 1)])
def test_an_override_without_reason_or_future_is_refused(database: Database, reason: str, days: int) -> None:
    overrides = Overrides(database, random=os.urandom)
    expires_at = NOW + days * DAY
    with pytest.raises(InputError):
        overrides.add(
            "fit", "P", value=1, model_value=0, reason=reason, expires_at=expires_at, identity=LEE, at=NOW
        )
    assert overrides.history("fit") == []


def _jobs(database: Database, clock: Clock) -> Jobs:
    log = EventLog(clock=lambda: clock.at, stream=io.StringIO())
    return Jobs(database, clock=lambda: clock.at, random=os.urandom, log=log)


def _ended(jobs: Jobs, job: Job) -> Job:
    jobs._pool.shutdown(wait=True)
    return jobs.read(job.job_id, identity=ROOT)


def test_a_job_tells_how_far_it_is_and_what_came_of_it(database: Database) -> None:
    jobs, begun, go_on = _jobs(database, Clock()), threading.Event(), threading.Event()

    def work(tell: Progress) -> dict[str, int]:
        tell(3, 10, "scoring")
        begun.set()
        assert go_on.wait(10)
        return {"rows": 10}

    job = jobs.start("fit.list", work, identity=LEE)
    assert job.state == "queued"
    assert begun.wait(10)
    now = jobs.read(job.job_id, identity=LEE)
    assert (now.state, now.done, now.total, now.message) == ("running", 3, 10, "scoring")
    go_on.set()
    assert (_ended(jobs, job).state, _ended(jobs, job).result) == ("done", {"rows": 10})
    with pytest.raises(NotFoundError):
        jobs.read(job.job_id, identity=KIM)


def test_a_failed_job_says_why_only_when_the_reason_is_ours(database: Database) -> None:
    def ours(_: Progress) -> dict[str, int]:
        raise InputError("row 7 is odd")

    def theirs(_: Progress) -> dict[str, int]:
        raise ZeroDivisionError("a secret")

    jobs = _jobs(database, Clock())
    first, second = (jobs.start("x", w, identity=LEE) for w in (ours, theirs))
    assert (_ended(jobs, first).state, _ended(jobs, first).message) == ("failed", "row 7 is odd")
    assert "secret" not in _ended(jobs, second).message


def test_a_job_whose_process_died_is_read_as_failed(database: Database) -> None:
    clock = Clock()
    jobs = _jobs(database, clock)
    jobs._pool.submit(threading.Event().wait, 1)
    job = jobs.start("x", lambda _: {}, identity=LEE)
    jobs.stop()
    clock.at += timedelta(seconds=STILL_SECONDS + 1)
    found = jobs.read(job.job_id, identity=LEE)
    assert found.state == "failed"
    assert "Start it again" in found.message


def test_events_are_read_in_the_order_of_their_commits_by_whom_they_concern(database: Database) -> None:
    def tell(manager: str | None, what: str) -> None:
        with database.write() as connection:
            news = [News("alert.opened", what, manager, {"partner_id": what})]
            outbox.append_within(connection, news, at=NOW, random=os.urandom)

    writers = [threading.Thread(target=tell, args=(f"M{n % 2}", f"P{n}")) for n in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    events = outbox.read_after(database, 0, limit=100)
    assert [e.seq for e in events] == list(range(1, 9))
    assert len({e.event_id for e in events}) == 8
    mine = outbox.read_after(database, 2, limit=2, manager_id="M1", types=["alert.opened"])
    assert [e.seq for e in mine] == [e.seq for e in events if e.manager_id == "M1" and e.seq > 2][:2]
    assert outbox.read_after(database, 0, limit=5, types=["lead.offered"]) == []
