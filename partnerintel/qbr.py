"""The pack for a quarterly business review with one partner: one page to print, nothing from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from data.errors import NotFoundError
from models.explain import reasons
from models.health import health, reference_horizon
from models.tiering.peers import TOO_FEW, WITHHELD
from models.tiering.points import number
from models.tiering.policy import TierPolicy
from models.tiering.recommend import Recommendation, recommend, why
from models.tiering.replay import remember
from models.tiering.simulate import Member
from partnerintel import benchmarking, scoring, tiering
from partnerintel.outputs import write_whole
from partnerintel.preparing import lake_of
from partnerintel.settings import Project

TEMPLATES = Path(__file__).parent / "templates"
REASONS = 3
PIPELINE = (
    ("registered_count_90d", "Deals registered"),
    ("won_count_90d", "Deals won"),
    ("won_amount_usd_90d", "Value won, USD"),
)
ENABLEMENT = (
    ("certified_users_count", "Certified people"),
    ("certifications_active_count", "Valid certificates"),
    ("certifications_expiring_90d_count", "Certificates that expire within 90 days"),
    ("training_count_180d", "Trainings in half a year"),
    ("active_users_90d", "Active people in the quarter"),
)
HEIGHT, WIDTH, GAP, MARGIN = 44, 30, 8, 6


@dataclass(frozen=True)
class Bar:
    """One bar of a small chart."""

    x: int
    y: float
    height: float
    label: str
    shown: str


def write_pack(project: Project, partner_id: str, path: Path, *, now: datetime) -> Path:
    """Write the page of a partner.

    Args:
        project: The workspace.
        partner_id: Whose.
        path: Where to.
        now: Naive UTC.

    Raises:
        NotFoundError: No partner under agreement has that id.
    """
    panel = tiering.panel_of(project)
    member = next((m for m in panel.members if m.partner_id == partner_id), None)
    if member is None:
        raise NotFoundError(
            f"No partner under agreement is called {partner_id!r}.",
            next_step="`partnerintel score churn` lists them all.",
        )
    _, policy = tiering.policy_in_force(project, now=now)
    released = benchmarking.refresh_benchmarks(project, panel.members, as_of=panel.dates[-1])
    places = benchmarking.places_of_member(member, released)
    values = {
        "partner": _about(project, member, panel),
        "as_of": panel.dates[-1],
        "made": now.date(),
        "health": _health(project, member),
        "charts": [(label, _bars(member, name, panel.dates)) for name, label in PIPELINE],
        "enablement": [(label, number(member.reviews[-1][0].get(name))) for name, label in ENABLEMENT],
        "tier": _tier(policy, member, panel.held[partner_id]),
        "potential": _potential(project, member),
        "places": places,
        "withheld": {**WITHHELD, TOO_FEW: "withheld"},
        "simulated": project.evaluation.simulated,
    }
    page = _environment().get_template("qbr.html").render(values)
    write_whole(path, lambda p: p.write_text(page, encoding="utf-8"))
    return path


def _about(project: Project, member: Member, panel: tiering.Panel) -> dict[str, Any]:
    rows = lake_of(project).read("partners")
    own = rows[rows["partner_id"] == member.partner_id].sort_values("known_at", kind="stable")
    name = own["name"].dropna()
    return {
        "id": member.partner_id,
        "name": str(name.iloc[-1]) if len(name) else member.partner_id,
        "manager": panel.managers.get(member.partner_id, "nobody"),
        "traits": dict(member.traits),
    }


def _health(project: Project, member: Member) -> dict[str, Any] | None:
    """Health and its components; None without a churn model."""
    registry = project.registry_if_any()
    if registry is None or registry.champion("churn") is None:
        return None
    bundle, version = scoring.champion_bundle(project, "churn")
    if not bundle.spec.adverse or "health" not in bundle.trained:
        return None
    frame = _frame(member, bundle.spec.names)
    matrix = bundle.encode(frame)
    found, horizon = health(bundle, matrix), reference_horizon(bundle)
    scores = bundle.score(matrix, horizons=[horizon])
    parts = sorted(found.components.items(), key=lambda item: -abs(float(item[1][-1])))
    return {
        "score": round(float(found.score[-1])),
        "before": round(float(found.score[0])),
        "components": [(name, float(points[-1])) for name, points in parts],
        "risk": float(scores.probability[horizon][-1]),
        "low": float(scores.low[horizon][-1]),
        "high": float(scores.high[horizon][-1]),
        "horizon": horizon,
        "evidence": scores.evidence[-1],
        "version": version,
    }


def _tier(policy: TierPolicy, member: Member, held: Sequence[str | None]) -> dict[str, Any]:
    found = recommended(policy, member, held)
    now, above = found.held, found.held + 1
    return {
        "current": policy.names[now],
        "recommended": policy.names[found.verdict.level],
        "change": found.verdict.change,
        "points": found.verdict.points,
        "low": found.verdict.low,
        "categories": [(c.replace("_", " "), p, of) for c, (p, of) in found.card.categories.items()],
        "why": why(policy, found),
        "next": policy.names[above] if above < len(policy.tiers) else None,
        "cuts": [(t.name, t.cut) for t in policy.tiers],
        "must": [n for n in found.gap if n.kind in ("gate", "category")],
        "ways": [n for n in found.gap if n.kind in ("any_of", "all_of")],
        "together": any(n.kind == "all_of" for n in found.gap),
        "lack": next((n.need - (n.have or 0) for n in found.gap if n.kind == "points"), 0.0),
        "keep": list(found.keep),
        "policy": policy.name,
    }


def recommended(policy: TierPolicy, member: Member, held: Sequence[str | None]) -> Recommendation:
    """What the review says, from the reviews on record."""
    from models.tiering.points import grade

    levels = [policy.level(name) for name in held]
    cards = [grade(policy, row, potential) for row, potential in member.reviews[:-1]]
    rises = [len(levels) - 1 - k for k in range(1, len(levels)) if levels[k] > levels[k - 1]]
    memory = remember(policy, cards, held=levels[:-1], promoted=rises[-1] if rises else None)
    row, potential = member.reviews[-1]
    return recommend(policy, row, potential, held=levels[-1], memory=memory)


def _potential(project: Project, member: Member) -> dict[str, Any] | None:
    potential = member.reviews[-1][1]
    if potential.value is None:
        return None
    bundle, _ = scoring.champion_bundle(project, "tiering")
    frame = _frame(member, bundle.spec.names).iloc[[-1]]
    told = reasons(bundle, frame, horizon=max(bundle.horizons), max_reasons=REASONS)[0]
    return {
        "value": potential.value,
        "low": potential.low,
        "high": potential.high,
        "for": [r.sentence for r in told.reasons if r.contribution > 0],
        "against": [r.sentence for r in told.reasons if r.contribution < 0],
    }


def _frame(member: Member, names: Sequence[str]) -> Any:
    """Features of every review, typed as the model expects them."""
    import pandas as pd

    rows: list[Mapping[str, object]] = [row for row, _ in member.reviews]
    frame = pd.DataFrame([{n: row.get(n) for n in names} for row in rows], columns=list(names))
    return frame.infer_objects()


def _bars(member: Member, name: str, dates: Sequence[date]) -> list[Bar]:
    """One bar for each review, the newest to the right."""
    values = [number(row.get(name)) or 0.0 for row, _ in member.reviews]
    top = max([*values, 1.0])
    own = dates[-len(values) :]
    found = []
    for k, (value, day) in enumerate(zip(values, own, strict=True)):
        height = HEIGHT * max(value, 0.0) / top
        shown = f"{value:,.0f}" if value < 10_000 else f"{value / 1000:,.0f}k"
        found.append(Bar(MARGIN + k * (WIDTH + GAP), HEIGHT - height, height, f"{day:%b %y}", shown))
    return found


def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    found = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    found.filters["figure"] = figure
    return found


def figure(value: float | None, unit: str = "") -> str:
    """A figure for people: `1,142,462`, `8.5`, `85 %`, `not known`."""
    if value is None:
        return "not known"
    if unit == "share":
        return f"{100 * value:.0f} %"
    return f"{value:,.0f}" if abs(value) >= 100 or float(value).is_integer() else f"{value:.2g}"
