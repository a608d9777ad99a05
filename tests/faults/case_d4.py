"""D4: features around the age at which they count as stale."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from data.lake import Lake
from serving.api import create_app
from serving.console.rooms import Cases
from serving.scoring import Scoring
from tests.faults.harness import Outcome, judged
from tests.faults.target import BrokenWorld
from tests.functional.serving.conftest import build_features
from tests.unit.serving.world import AS_OF, NOW, World, open_world

TITLE = "Features are stale exactly when too old or their feed is silent; unknown, empty and stale differ"
QUICK, FULL = 24, 1_000  # moments
AGE, SILENCE = timedelta(hours=48), timedelta(days=2)
CONFIG = """\
config_version: 1
features: {}
feeds:
  portal: {feeds: [login], stale_after_days: 2}
serving: {stale_after_hours: 48}
"""
LOGINS = "portal_activity"  # the factor that holds nothing but logins here
STEPS = (0, 1, 1_000, 1_000_000, 60_000_000, 3_600_000_000, 40_000_000_000)  # microseconds


@dataclass(frozen=True)
class Channel:
    """A worker over a small channel.

    Attributes:
        world: The worker.
        silent_since: The last event of the portal.
    """

    world: World
    silent_since: datetime


def run(size: int) -> Outcome:
    """Moments on both sides of both limits, and partners that are unknown or have gaps."""
    with channel() as found:
        return _tried(found, moments(found, size))


def planted() -> Outcome:
    """The same with an age counted in whole days."""
    with channel(whole_days) as found:
        return _tried(found, moments(found, 8))


def moments(found: Channel, size: int) -> Sequence[datetime]:
    """The limits themselves, a microsecond to hours around them, and random moments."""
    limits = (AS_OF + AGE, found.silent_since + SILENCE)
    steps = [timedelta(microseconds=sign * s) for s in STEPS for sign in (1, -1)]
    near = [limit + step for limit in limits for step in steps]
    rng = random.Random(size)
    rng.shuffle(near)
    far = [NOW + timedelta(microseconds=rng.randrange(14 * 86_400 * 10**6)) for _ in range(size)]
    return [*near, *far][:size]


def _tried(found: Channel, times: Sequence[datetime]) -> Outcome:
    faults = [f"{at.isoformat()}: {why}" for at in times for why in _faults(found, at)]
    told = (
        f"{len(times)} moments around {AGE.days * 24} h of age and {SILENCE.days} days of silence, all exact"
    )
    return judged(len(times), faults, told)


def _faults(found: Channel, at: datetime) -> Iterator[str]:
    world = found.world
    world.clock.at = at
    world.runtime.resident.refresh_partners()
    old, silent = at - AS_OF > AGE, at - found.silent_since > SILENCE
    if world.call("GET", "/v1/partners/nobody/churn").status_code != 404:
        yield "an unknown partner is not 404"
    answer = world.call("GET", "/v1/partners/P0/churn?max_reasons=20")
    if answer.status_code != 200:
        yield f"status {answer.status_code}"
        return
    score = answer.json()["churn_probability"]["90"]
    if score["stale"] != (old or silent):
        yield f"stale is {score['stale']} with age {at - AS_OF} and silence {at - found.silent_since}"
    if {r["factor"] == LOGINS for r in score["reasons"]} != {True, False}:
        yield f"reasons do not tell logins from the rest: {[r['factor'] for r in score['reasons']]}"
    for reason in score["reasons"]:
        expected = old or (silent and reason["factor"] == LOGINS)
        if reason["stale"] != expected:
            yield f"stale is {reason['stale']} for {reason['sentence']!r}"
    if all(r["value"] is not None for r in score["reasons"]):
        yield "no reason shows the survey that is missing"
    features = world.call("GET", f"/v1/decisions/{score['decision_id']}").json()["features"]
    if features["survey_score_latest"] is not None or features["login_count_30d"] is None:
        yield f"gaps are not as in the data: {features}"


@contextmanager
def channel(broken: Callable[[World], Any] | None = None) -> Iterator[Channel]:
    """A worker over six partners whose features are of today."""
    folder = Path(made().name)
    world = open_world(folder, config=CONFIG)
    if broken is not None:
        world = BrokenWorld(**vars(world), broken=broken)
    try:
        events = Lake(folder / "workspace" / "lake").read("events")
        counted = events[events["event_at"] < AS_OF]
        yield Channel(world, counted["event_at"].max().to_pydatetime())
    finally:
        world.runtime.stop()


@cache
def made() -> tempfile.TemporaryDirectory[str]:
    """The channel's lake and features, built once."""
    folder = tempfile.TemporaryDirectory(prefix="d4-")
    build_features(Path(folder.name) / "workspace", now=NOW, partners=6)
    return folder


class WholeDays(Scoring):
    """Takes features for stale a day after the limit."""

    def _stale_before(self) -> datetime:
        return datetime.combine(super()._stale_before().date(), datetime.min.time())


def whole_days(world: World) -> Any:
    """The application with the broken use case."""
    from serving.guard import Guard

    runtime = world.runtime
    scoring = WholeDays(
        runtime.resident.view,
        decisions=runtime.shared.decisions,
        settings=runtime.shared.settings,
        clock=lambda: world.clock.at,
        random=random.Random(0).randbytes,
        counted=lambda model, evidence: None,
    )
    cases: Cases = replace(runtime.use_cases, scoring=scoring)
    return Guard(create_app(lambda: cases), keep=lambda: runtime.keep)
