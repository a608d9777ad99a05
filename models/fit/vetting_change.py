"""What another vetting policy would change: every applicant judged under both, from what is known of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from models.fit.settings import VettingSettings
from models.fit.vetting import Verdict, vet

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


@dataclass(frozen=True)
class Applicant:
    """What a verdict needs to know of an applicant.

    Attributes:
        name: For people.
        row: Canonical fields.
        fit_score: 0–100, or None.
        evidence: Grade of the score.
        outside: Whether it is outside experience.
        base_rate: Share of recruited partners that succeeded, where the thresholds follow it.
    """

    name: str
    row: Mapping[str, Any]
    fit_score: float | None
    evidence: str
    outside: bool
    base_rate: float | None


@dataclass(frozen=True)
class VettingChange:
    """Verdicts under two policies.

    Attributes:
        counts: (verdict now, verdict then) → applicants.
        moved: Name, verdict now and verdict then of those that move, with why, in the order given.
    """

    counts: Mapping[tuple[Verdict, Verdict], int]
    moved: tuple[tuple[str, Verdict, Verdict, str], ...]

    def total(self, verdict: Verdict, *, then: bool) -> int:
        """Applicants with a verdict, now or then."""
        return sum(n for pair, n in self.counts.items() if pair[then] == verdict)


def compare(applicants: Iterable[Applicant], now: VettingSettings, then: VettingSettings) -> VettingChange:
    """Judge everybody under both policies."""
    counts: Counter[tuple[Verdict, Verdict]] = Counter()
    moved = []
    for one in applicants:
        given: dict[str, Any] = {
            "fit_score": one.fit_score, "evidence": one.evidence, "outside": one.outside,
            "base_rate": one.base_rate,
        }  # fmt: skip
        before, after = vet(one.row, policy=now, **given), vet(one.row, policy=then, **given)
        counts[before.verdict, after.verdict] += 1
        if before.verdict != after.verdict:
            why = next((c.sentence for c in after.checks if c.verdict == after.verdict), "")
            moved.append((one.name, before.verdict, after.verdict, why))
    return VettingChange(counts, tuple(moved))
