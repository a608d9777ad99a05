"""The ideal partner profile in words: which traits, how much, how sure, and what changed since last time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from models.fit.recruited import Recruited
from models.scoring import Bundle
from models.spec import Feature

LEAST_PARTNERS = 8
TELLING = 0.03
CHANGED = 0.1
Z80 = 1.2815515655446004


@dataclass(frozen=True)
class Trait:
    """A value of a feature, and what it says.

    Attributes:
        feature: Feature name.
        label: For people, such as "partner type: integrator".
        partners: Recruited partners that have it.
        succeeded: Share of them that succeeded.
        interval: 80 % interval of that share.
        effect: Mean part of the log-odds that the model gives it, against the average partner.
        points: The same in points of probability, from the base rate.
    """

    feature: str
    label: str
    partners: int
    succeeded: float
    interval: tuple[float, float]
    effect: float
    points: float

    @property
    def sure(self) -> str:
        """How sure: whether the partners with the trait did better or worse than all, beyond chance."""
        if self.partners < 30:
            return "few partners"
        return "clear" if self.interval[1] - self.interval[0] < 0.2 else "uncertain"


@dataclass(frozen=True)
class Change:
    """A trait whose weight moved, or that came or went."""

    label: str
    before: float | None
    now: float | None


@dataclass(frozen=True)
class Profile:
    """The profile of one model.

    Attributes:
        model: Model name.
        kind: `boosted`, or `scorecard` where nothing is learnt beyond its weights.
        partners: Recruited partners it learnt from.
        base_rate: Share of them that succeeded.
        traits: Strongest first.
        silent: Features that make no difference.
    """

    model: str
    kind: str
    partners: int
    base_rate: float
    traits: tuple[Trait, ...]
    silent: tuple[str, ...]


def profile(bundle: Bundle) -> Profile | None:
    """The profile of a model; None where it learnt from nobody."""
    recruited = Recruited(bundle)
    if not len(recruited):
        return None
    rate = float(recruited.y.mean())
    explained = bundle.explain(bundle.encode(recruited.facts))
    traits: list[Trait] = []
    silent: list[str] = []
    for k, feature in enumerate(bundle.spec.features):
        effects = explained.by_feature[:, k]
        if np.abs(effects - effects.mean()).max() < TELLING:
            silent.append(feature.shown_label)
            continue
        column = recruited.facts[feature.name]
        for label, has in _values(feature, column):
            if int(has.sum()) >= LEAST_PARTNERS:
                traits.append(_trait(feature, label, has, effects, recruited.y, rate))
    traits.sort(key=lambda t: (-abs(t.effect), t.label))
    return Profile(bundle.model, bundle.kind, len(recruited), rate, tuple(traits), tuple(silent))


def changes(now: Profile, before: Profile | None) -> tuple[Change, ...]:
    """Traits whose effect moved by more than a tenth of log-odds, the greatest move first."""
    if before is None:
        return ()
    ours, theirs = ({t.label: t.effect for t in p.traits} for p in (now, before))
    found = [
        Change(label, theirs.get(label), ours.get(label))
        for label in sorted({*ours, *theirs})
        if abs(ours.get(label, 0.0) - theirs.get(label, 0.0)) > CHANGED
    ]
    return tuple(sorted(found, key=lambda c: (-abs((c.now or 0.0) - (c.before or 0.0)), c.label)))


def page(found: Profile, *, version: str, moved: Sequence[Change], before: str | None) -> str:
    """A page a recruiter can read, in Markdown."""
    motion = found.model.partition(".")[2] or "all motions"
    learnt = "the scorecard's own" if found.kind == "scorecard" else "the model's"
    lines = [
        f"# Ideal partner profile: {motion}",
        "",
        f"{found.partners} partners whose first year is over; {100 * found.base_rate:.0f} % succeeded. "
        f"Weights are {learnt}, version {version}.",
        "",
        "| trait | partners | succeeded (80 % interval) | moves the chance by | how sure |",
        "|---|--:|--:|--:|---|",
    ]
    for t in found.traits:
        low, high = (100 * v for v in t.interval)
        lines.append(
            f"| {t.label} | {t.partners} | {100 * t.succeeded:.0f} % ({low:.0f}–{high:.0f}) "
            f"| {_points(t.points)} | {t.sure} |"
        )
    if not found.traits:
        lines.append("| no trait makes a difference | | | | |")
    if found.silent:
        lines += ["", f"No difference: {', '.join(found.silent)}."]
    lines += ["", f"## Since version {before}" if before else "## Since the last version", ""]
    lines += [_change_line(c) for c in moved] or ["Nothing moved by more than a tenth of log-odds."]
    lines += ["", "Associations among the partners you chose, not causes.", ""]
    return "\n".join(lines)


def _values(feature: Feature, column: Any) -> list[tuple[str, Any]]:
    if column.dtype == object:
        levels = sorted(str(v) for v in column.dropna().unique())
        return [(f"{feature.shown_label}: {v}", (column == v).to_numpy(dtype=bool)) for v in levels]
    known = column.dropna()
    if known.empty:
        return []
    edges = np.unique(np.quantile(known, [0.0, 0.25, 0.5, 0.75, 1.0]))
    found = []
    for low, high in pairwise(edges):
        last = high == edges[-1]
        has = (column >= low) & ((column <= high) if last else (column < high))
        found.append((f"{feature.shown_label}: {low:,.0f} to {high:,.0f}", has.to_numpy(dtype=bool)))
    missing = column.isna().to_numpy()
    return [*found, (f"{feature.shown_label}: not known", missing)]


def _trait(feature: Feature, label: str, has: Any, effects: Any, y: Any, rate: float) -> Trait:
    count, wins = int(has.sum()), float(y[has].sum())
    effect = float(effects[has].mean() - effects.mean())
    odds = np.log(rate / (1 - rate)) if 0 < rate < 1 else 0.0
    points = float(1 / (1 + np.exp(-(odds + effect))) - 1 / (1 + np.exp(-odds)))
    return Trait(feature.name, label, count, wins / count, wilson(wins, count), effect, points)


def wilson(wins: float, count: int) -> tuple[float, float]:
    """80 % interval of a share.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
    """
    share, z2 = wins / count, Z80**2
    centre = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = Z80 / (1 + z2 / count) * np.sqrt(share * (1 - share) / count + z2 / (4 * count**2))
    return float(max(centre - half, 0.0)), float(min(centre + half, 1.0))


def _points(share: float) -> str:
    """Points of probability with their sign: `+3 points`, `-1 point`, `less than 1 point`."""
    whole = round(100 * share)
    return f"{whole:+d} point{'s' if abs(whole) != 1 else ''}" if whole else "less than 1 point"


def _change_line(change: Change) -> str:
    if change.before is None:
        return f"- {change.label}: new, {change.now:+.2f} log-odds"
    if change.now is None:
        return f"- {change.label}: gone, was {change.before:+.2f} log-odds"
    return f"- {change.label}: {change.before:+.2f} → {change.now:+.2f} log-odds"
