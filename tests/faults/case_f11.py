"""F11: webhook receivers that fail in every way."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from serving import outbox
from serving.auth import Identity
from serving.health.delivering import Dispatcher
from serving.health.sending import post
from serving.health.tables import DELIVERIES
from serving.health.webhooks import SCHEDULE, Due, Webhooks
from serving.outbox import News
from serving.state import Database
from tests.faults.harness import Outcome, judged

TITLE = "Receivers that fail in every way: the schedule is kept, nothing is lost, dead letters are visible"
QUICK, FULL = 6, 60
PRM = Identity("k", "prm", "prm")
BEGIN = datetime(2026, 11, 20, 9)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
FAILURES: dict[str, bytes | None] = {
    "500": b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
    "404": b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
    "redirect": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
    "429": b"HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    "garbage": b"\x00\xff not http at all\r\n\r\n",
    "endless header": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000,
    "half": b"HTTP/1.1 20",
    "reset": b"",
    "silence": None,
}


@dataclass
class Receiver:
    """Fails as told for a while, then takes everything."""

    failing: str
    port: int = 0
    healthy: bool = False
    taken: Counter[str] = field(default_factory=Counter)
    asked: int = 0


@contextmanager
def receiver(failing: str) -> Iterator[Receiver]:
    made = Receiver(failing)
    server = socket.create_server(("127.0.0.1", 0))
    made.port = int(server.getsockname()[1])
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=_answer, args=(made, connection, stop), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield made
    finally:
        stop.set()
        server.close()


def _answer(made: Receiver, connection: socket.socket, stop: threading.Event) -> None:
    with connection, suppress(OSError):
        connection.settimeout(2)
        text = b""
        while b"\r\n\r\n" not in text:
            text += connection.recv(65_536)
        made.asked += 1
        head = text.split(b"\r\n\r\n")[0].decode("latin-1").lower()
        event = next(line.split(": ")[1] for line in head.split("\r\n") if line.startswith("webhook-id"))
        if made.healthy:
            made.taken[event] += 1
            connection.sendall(OK)
            return
        answer = FAILURES[made.failing]
        if answer is None:
            stop.wait(1.5)
        elif answer:
            connection.sendall(answer)


@dataclass
class Clock:
    at: datetime = BEGIN


class Forgetful(Webhooks):
    """Gives a delivery up at the first failure, and says that it was delivered."""

    def attempt(self, due: Due, post: Callable[..., object]) -> object:  # type: ignore[override]
        sent = super().attempt(due, post)  # type: ignore[arg-type]
        with self._database.write() as connection:
            connection.execute(DELIVERIES.update().values(state="delivered"))
        return sent


def run(size: int) -> Outcome:
    """Events for every kind of failing receiver, through the whole schedule."""
    return _tried(size, Webhooks)


def planted() -> Outcome:
    """The same with a sender that forgets what failed."""
    return _tried(3, Forgetful)


def _tried(events: int, kind: type[Webhooks]) -> Outcome:
    faults: list[str] = []
    tried = 0
    for name in FAILURES:
        for recovers in (True, False):
            tried += events
            faults += [f"{name}: {f}" for f in _one(name, events, kind, recovers=recovers)]
    told = f"{len(FAILURES)} ways to fail, {tried} deliveries, each taken once or dead and visible, 0 lost"
    return judged(tried, faults, told)


def _one(failing: str, events: int, kind: type[Webhooks], *, recovers: bool) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="f11-") as folder, receiver(failing) as target:
        database = Database(f"sqlite:///{Path(folder) / 'state.db'}")
        database.migrate()
        clock, allowed = Clock(), (f"127.0.0.1:{target.port}",)
        hooks = kind(database, allowed=allowed, clock=lambda: clock.at, random=os.urandom)
        url = f"http://127.0.0.1:{target.port}/x"
        made = hooks.register(url, types=[], manager_id=None, identity=PRM)
        with database.write() as connection:
            news = [News("alert.opened", f"a{i}", None, {"n": i}) for i in range(events)]
            sent = outbox.append_within(connection, news, at=clock.at, random=os.urandom)
        dispatcher = Dispatcher(
            hooks,
            send=lambda place, body, headers: post(
                place, body, headers, allowed=allowed, timeout_seconds=0.4
            ),
        )
        attempts = _through(dispatcher, clock, target, recovers=recovers)
        shown = hooks.deliveries(made["webhook_id"], identity=PRM)["deliveries"]
        yield from _judge(database, shown, target, [e.event_id for e in sent], attempts, recovers=recovers)
        database.close()


def _through(dispatcher: Dispatcher, clock: Clock, target: Receiver, *, recovers: bool) -> list[int]:
    """Walk the schedule; a receiver that recovers does so after the second attempt."""
    attempts = []
    for place, pause in enumerate([timedelta(0), *SCHEDULE, timedelta(hours=48)]):
        clock.at += pause
        if recovers and place == 2:
            target.healthy = True
        before = target.asked
        while dispatcher.work():
            time.sleep(0)
        attempts.append(target.asked - before)
    return attempts


def _judge(
    database: Database, shown: list[dict[str, object]], target: Receiver, ids: list[str],
    attempts: list[int], *, recovers: bool,
) -> Iterator[str]:  # fmt: skip
    states = Counter(str(d["state"]) for d in shown)
    wanted = "delivered" if recovers else "dead"
    if states != {wanted: len(ids)}:
        yield f"{dict(states)} instead of {len(ids)} {wanted}"
    if recovers and target.taken != Counter(i.lower() for i in ids):
        yield f"taken {sum(target.taken.values())} of {len(ids)}, or not once each"
    rounds = 3 if recovers else len(SCHEDULE) + 1
    expected = [len(ids)] * rounds + [0] * (len(attempts) - rounds)
    if attempts != expected:
        yield f"attempts {attempts} instead of {expected}"
    with database.read() as connection:
        errors = connection.execute(select(DELIVERIES.c.error)).scalars().all()
    if not recovers and not all(errors):
        yield "a dead letter without a reason"
