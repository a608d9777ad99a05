"""A thousand leads at once, ten for each partner: nobody above capacity, nothing lost, nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from serving.routing.tables import LEADS, OFFERS
from tests.servers import postgres_server, skip_without_postgres
from tests.unit.routing.shop import Shop, shop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
LEADS_SENT, CAPACITY, PARTNERS, PROCESSES = 1_000, 10, 80, 4
CHILD = """
import json, sys
from pathlib import Path
from concurrent.futures import ThreadPoolExecutor
from tests.faults.case_d1 import ask
from tests.unit.routing.shop import shop
folder, part, parts, count, partners = Path(sys.argv[1]), *map(int, sys.argv[2:6])
with shop(folder, models=False, lake=False, database_url=sys.argv[6] or None, partners=partners) as made:
    def one(n):
        answer = json.loads(ask(made, f"key {n}", f"N{n}"))
        told = [answer["lead_id"], answer["offered_to"], answer.get("code"), answer["decision_id"]]
        sys.stdout.write(json.dumps(told) + chr(10))
        sys.stdout.flush()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(part, count, parts)))
"""


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "sqlite":
        yield ""
        return
    skip_without_postgres()
    with postgres_server() as server:
        yield server.url


def start(folder: Path, part: int, url: str) -> subprocess.Popen[str]:
    numbers = (part, PROCESSES, LEADS_SENT, PARTNERS)
    arguments = [str(folder), *map(str, numbers), url]
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", CHILD, *arguments], stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).resolve().parents[3], env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def test_a_thousand_concurrent_leads_never_exceed_capacity_even_after_a_kill(
    tmp_path: Path, url: str
) -> None:
    with shop(tmp_path, models=False, partners=PARTNERS, capacity=CAPACITY, database_url=url or None) as made:
        made.policy(require_territory=False)
        children = [start(tmp_path, part, url) for part in range(PROCESSES)]
        seen = [children[0].stdout.readline() for _ in range(20)] if children[0].stdout else []
        children[0].send_signal(signal.SIGKILL)
        told = {tuple(json.loads(line)) for line in seen if line}
        for child in children[1:]:
            told |= {tuple(json.loads(line)) for line in child.communicate()[0].splitlines()}
        children[0].communicate()
        again = start(tmp_path, 0, url)
        told |= {tuple(json.loads(line)) for line in again.communicate()[0].splitlines()}
        check(made, told)


def check(made: Shop, told: set[tuple[str, str, str, str]]) -> None:
    # One answer for each lead, also where the first process had answered before it died.
    assert len({t[0] for t in told}) == len(told) == LEADS_SENT
    with made.runtime.shared.database.read() as connection:
        leads = connection.execute(select(LEADS.c.lead_id, LEADS.c.partner_id, LEADS.c.code)).all()
        offers = Counter(connection.execute(select(OFFERS.c.partner_id)).scalars())
    assert {(r.lead_id, r.partner_id) for r in leads} == {(t[0], t[1]) for t in told}
    assert dict(offers) == dict(made.loads())
    assert set(offers.values()) == {CAPACITY}
    assert len(offers) == PARTNERS
    full = PARTNERS * CAPACITY
    assert Counter(r.code for r in leads) == {"": full, "no_capacity": LEADS_SENT - full}
