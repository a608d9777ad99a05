"""Long work behind a 202: started here, done on a thread of its own, its progress read by anyone who asks.

A job belongs to the owner of the key that started it. One that a dead process left unfinished is read as
failed once it has not moved for `STILL_SECONDS`: the caller starts it again; nothing half-written remains,
since a job commits its outcome in one transaction of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Any, Literal, Protocol

from sqlalchemy import insert, select, update
from sqlalchemy.exc import OperationalError

from data.errors import NotFoundError, PartnerIntelError
from serving.auth import Identity
from serving.decisions import canonical
from serving.ids import new_id
from serving.logs import EventLog
from serving.state import Database, iso
from serving.tables import JOBS

STILL_SECONDS = 120
State = Literal["queued", "running", "done", "failed"]


@dataclass(frozen=True)
class Job:
    """One job.

    Attributes:
        job_id: Its identifier.
        kind: What is done.
        owner: Whose.
        state: How far it is.
        done: Units done.
        total: Units in all; 0: not known yet.
        message: What is being done, or why it failed.
        result: What came of it, plain values; empty until done.
        created_at: RFC 3339.
        updated_at: RFC 3339.
    """

    job_id: str
    kind: str
    owner: str
    state: State
    done: int
    total: int
    message: str
    result: Mapping[str, Any]
    created_at: str
    updated_at: str


class Progress(Protocol):
    """Tells how far a job is."""

    def __call__(self, done: int, total: int, message: str = "") -> None:
        """Units done of all, and what is being done."""
        ...


Work = Callable[[Progress], Mapping[str, Any]]


class Jobs:
    """Runs and remembers jobs.

    Args:
        database: State database.
        clock: Naive UTC time.
        random: Source of random bytes for ids.
        log: Where failures are written.
        threads: Jobs worked on at once in this process.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
        log: EventLog,
        threads: int = 1,
    ) -> None:
        self._database, self._clock, self._random, self._log = database, clock, random, log
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="job")

    def start(self, kind: str, work: Work, *, identity: Identity, total: int = 0) -> Job:
        """Queue work and give its job back at once."""
        at = self._clock()
        job = Job(
            new_id("job", at=at, random=self._random),
            kind,
            identity.owner,
            "queued",
            0,
            total,
            "",
            {},
            iso(at),
            iso(at),
        )
        with self._database.write() as connection:
            connection.execute(insert(JOBS).values({**job.__dict__, "result": "{}"}))
        self._pool.submit(self._run, job.job_id, work)
        return job

    def read(self, job_id: str, *, identity: Identity) -> Job:
        """A job of the caller's own; an admin may read all.

        Raises:
            NotFoundError: There is none, or it is another's: the two cannot be told apart.
        """
        with self._database.read() as connection:
            row = connection.execute(select(JOBS).where(JOBS.c.job_id == job_id)).mappings().first()
        if row is None or (identity.role != "admin" and row["owner"] != identity.owner):
            raise NotFoundError("There is no such job.")
        job = Job(**{**dict(row), "result": json.loads(row["result"])})
        given_up = iso(self._clock() - timedelta(seconds=STILL_SECONDS))
        if job.state in ("queued", "running") and job.updated_at < given_up:
            stopped = "The service stopped while this ran; nothing was kept. Start it again."
            return Job(**{**job.__dict__, "state": "failed", "message": stopped})
        return job

    def stop(self) -> None:
        """Take no more work; what has not begun is dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, job_id: str, work: Work) -> None:
        over = Event()
        Thread(target=self._beat, args=(job_id, over), name="job-beat", daemon=True).start()
        try:
            self._set(job_id, state="running")
            result = work(lambda done, total, message="": self._moved(job_id, done, total, message))
            self._set(job_id, state="done", result=canonical(dict(result)), message="")
        except PartnerIntelError as error:
            self._set(job_id, state="failed", message=str(error))
        except Exception as error:
            self._log.exception("job failed", error, job_id=job_id)
            self._set(job_id, state="failed", message="The failure was logged under the job's id.")

        finally:
            over.set()

    def _beat(self, job_id: str, over: Event) -> None:
        """Say that the process lives, however long a step takes; only a dead one falls silent."""
        while not over.wait(STILL_SECONDS / 4):
            with suppress(OperationalError):
                self._set(job_id)

    def _moved(self, job_id: str, done: int, total: int, message: str) -> None:
        self._set(job_id, done=done, total=total, message=message)

    def _set(self, job_id: str, **values: Any) -> None:
        with self._database.write() as connection:
            changed = {**values, "updated_at": iso(self._clock())}
            connection.execute(update(JOBS).where(JOBS.c.job_id == job_id).values(changed))
