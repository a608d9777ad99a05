"""L1: leads that arrive at a constant rate, whether or not the ones before have been answered."""

from __future__ import annotations

import time

import httpx
import psutil

from tests.faults.harness import Outcome, judged
from tests.faults.load import Heard, Load, failures, percentile
from tests.faults.target import served_product
from tests.faults.traffic import PARTNERS, route, with_partners
from tests.functional.serving.conftest import Served

TITLE = "Leads that arrive at a constant rate are all answered, and soon, measured from when they were due"
SLOW = True  # a server with partners
QUICK, FULL = 8, 60  # seconds
EACH_SECOND = 10.0
# The bound is a floor for one decision and a multiple of the cheapest call of the same run, so that it holds
# on a machine that others use too.
FLOOR_SECONDS, TIMES = 0.25, 8.0


def run(size: int) -> Outcome:
    """The cheapest call as a peer, then leads."""
    with served_product(prepare=with_partners) as served:
        headers = served.headers("prm")
        route(served.client, served.url, headers, 10**6)  # what is made at first use
        peer = _heard(served, size / 4, lambda client, n: client.get(f"{served.url}/livez"))
        before = _cpu_seconds(served)
        heard = _heard(served, size, lambda client, n: route(client, served.url, headers, n))
        cpu = (_cpu_seconds(served) - before) / max(len(heard), 1)
    return _judged(peer, heard, also=f", {cpu * 1000:.0f} ms of CPU each")


def planted() -> Outcome:
    """The same judgement of a service that stands still for two seconds."""
    peer = [Heard(n, 200, 0.01, None, 0.0) for n in range(100)]
    stalled = [Heard(n, 200, 2.0 - n / 10 if n < 20 else 0.02, None, 0.0) for n in range(200)]
    return _judged(peer, stalled)


def _heard(served: Served, seconds: float, ask: object) -> list[Heard]:
    load = Load(ask, EACH_SECOND, clients=8, read=httpx.Response.json)  # type: ignore[arg-type]
    with load.running():
        time.sleep(seconds)
    return load.heard


def _cpu_seconds(served: Served) -> float:
    """CPU time of the workers so far."""
    times = [p.cpu_times() for p in psutil.Process(served.process.pid).children(recursive=True)]
    return float(sum(t.user + t.system for t in times))


def _judged(peer: list[Heard], heard: list[Heard], *, also: str = "") -> Outcome:
    p50, p99 = (percentile([h.seconds for h in heard], share) for share in (0.5, 0.99))
    bound = FLOOR_SECONDS + TIMES * percentile([h.seconds for h in peer], 0.99)
    faults = failures(heard) + ([] if p99 <= bound else [f"p99 {p99:.2f} s, bound {bound:.2f} s"])
    outcomes = {h.told["outcome"] for h in heard if isinstance(h.told, dict)}
    if heard and isinstance(heard[0].told, dict) and "offered" not in outcomes:
        faults.append(f"nothing was offered: {outcomes}")
    told = f"{len(heard)} leads over {PARTNERS} partners at {EACH_SECOND:g} a second: 0 failed, "
    told += f"p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms (bound {bound * 1000:.0f}){also}"
    return judged(len(heard), faults, told)
