"""L5: memory of a product that is used without a pause."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence

import httpx
import numpy as np
import psutil

from tests.faults.harness import Outcome, judged
from tests.faults.load import Load, failures
from tests.faults.target import served_product
from tests.faults.traffic import route, with_partners
from tests.unit.serving.world import good_row

TITLE = "Memory does not grow while scores, leads, pages and bad requests go on and on"
SLOW = True  # minutes
LIMIT_SECONDS = 2400
# In the first five minutes caches take more than the limit allows for ten: three minutes tell nothing.
QUICK, FULL = 720, 1800  # seconds
EACH_SECOND = 15.0
MEGABYTES_IN_TEN_MINUTES = 1.0
WARM_SHARE = 1 / 3  # of the time: caches fill until then
LEAK = "import time\nkept = []\nwhile True:\n    kept.append(bytearray(200_000))\n    time.sleep(0.05)\n"


def run(size: int) -> Outcome:
    """A mix of requests; resident memory of all processes, every two seconds after the warm-up."""
    with served_product(prepare=with_partners) as served:
        headers = served.headers()

        def ask(client: httpx.Client, number: int) -> httpx.Response:
            if number % 5 == 0:
                return route(client, served.url, headers, number)
            if number % 5 == 1:
                return client.get(f"{served.url}/v1/models", headers=headers)
            if number % 5 == 2:
                found = client.post(f"{served.url}/v1/churn/score", content=b"{", headers=headers)
                return httpx.Response(200 if found.status_code in (400, 415) else found.status_code)
            rows = [good_row(f"P{number}", seed=number % 50)] * 5
            return client.post(f"{served.url}/v1/churn/score", json={"rows": rows}, headers=headers)

        load = Load(ask, EACH_SECOND)
        with load.running():
            time.sleep(size * WARM_SHARE)
            found = samples(served.process.pid, seconds=size * (1 - WARM_SHARE), every=2.0)
    grown = growth(found)
    faults = failures(load.heard)
    if grown > MEGABYTES_IN_TEN_MINUTES:
        faults.append(f"{grown:.1f} MB more in ten minutes, at {found[-1][1]:.0f} MB")
    told = f"{len(load.heard)} requests in {size / 60:.0f} min: {grown:+.2f} MB in ten minutes, 0 failed"
    return judged(len(load.heard), faults, told)


def planted() -> Outcome:
    """The same look at a process that keeps 4 MB more every second."""
    process = subprocess.Popen([sys.executable, "-c", LEAK])
    try:
        time.sleep(0.5)
        grown = growth(samples(process.pid, seconds=3, every=0.3))
    finally:
        process.kill()
        process.wait()
    return judged(1, [f"{grown:.0f} MB"] if grown > MEGABYTES_IN_TEN_MINUTES else [], "")


def samples(pid: int, *, seconds: float, every: float) -> list[tuple[float, float]]:
    """(seconds, megabytes) of a process and its children."""
    parent, begun, found = psutil.Process(pid), time.monotonic(), []
    while (now := time.monotonic() - begun) < seconds:
        family = (parent, *parent.children(recursive=True))
        found.append((now, sum(p.memory_info().rss for p in family) / 2**20))
        time.sleep(every)
    return found


def growth(found: Sequence[tuple[float, float]]) -> float:
    """Megabytes in ten minutes: the median slope over all pairs, which a single step does not move.

    Source: Theil (1950), "A rank-invariant method of linear and polynomial regression analysis"; Sen (1968).
    """
    at, size = (np.array(column) for column in zip(*found, strict=True))
    first, second = np.triu_indices(len(at), k=1)
    return float(np.median((size[second] - size[first]) / (at[second] - at[first])) * 600)
