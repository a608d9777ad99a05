"""Ranks the rows of a list: scores, intervals, reasons in short, in chunks of one size for all lengths."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from models.fit.settings import VettingSettings
from models.fit.vetting import vet
from serving.fit.answers import FitModel, FitOptions
from serving.fit.intake import ListRow

CHUNK_ROWS = 2_000
SHOWN = 3
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Ranked:
    """One prospect of a list as scored.

    Attributes:
        row: The prospect.
        rank: 1 is best.
        fit_score: 0–100, or None.
        probability: Of success, or None.
        low: Lower end of the 80 % interval.
        high: Upper end.
        evidence: Grade.
        outside: Whether it lies outside experience.
        verdict: Of the vetting policy.
        points: Of the scorecard, 0–100, or None.
        reasons_for: Sentences, strongest first.
        reasons_against: Sentences, strongest first.
        warnings: What the model has not seen.
        model: Name of the model that answered.
    """

    row: ListRow
    rank: int
    fit_score: int | None
    probability: float | None
    low: float | None
    high: float | None
    evidence: str
    outside: bool
    verdict: str
    points: float | None
    reasons_for: tuple[str, ...]
    reasons_against: tuple[str, ...]
    warnings: tuple[str, ...]
    model: str

    @property
    def ranked_by(self) -> str:
        """What its rank follows: `probability`, or `scorecard_points` after all who have one."""
        return "scorecard_points" if self.probability is None else "probability"


def rank(
    rows: Sequence[ListRow],
    *,
    model_of: Callable[[str | None], FitModel],
    motion: str | None,
    options: FitOptions,
    progress: Progress | None = None,
) -> list[Ranked]:
    """Score all rows and put the best first; ties by identifier, never by place in the file.

    Points of the scorecard are no probabilities: 70 of 100 points may stand for a chance of 40 %. So those of
    whom too little is known for a probability come after all who have one, among themselves by points; they
    are told apart and never left out.

    Args:
        rows: Prospects.
        model_of: The model of a motion.
        motion: Motion of rows that name none.
        options: What goes into answers.
        progress: Called with (rows done, rows in all).
    """
    found: list[Ranked] = []
    by_model: dict[str, tuple[FitModel, list[ListRow]]] = {}
    for row in rows:
        own = row if row.values.get("motion") or not motion else _moved(row, motion)
        model = model_of(own.values.get("motion"))
        by_model.setdefault(model.bundle.model, (model, []))[1].append(own)
    done = 0
    for model, part in by_model.values():
        for start in range(0, len(part), CHUNK_ROWS):
            chunk = part[start : start + CHUNK_ROWS]
            found += _scored(model, chunk, options)
            done += len(chunk)
            if progress:
                progress(done, len(rows))
    found.sort(key=_place)
    return [replace(one, rank=n) for n, one in enumerate(found, 1)]


def _place(one: Ranked) -> tuple[bool, float, float, str]:
    return (one.probability is None, -(one.probability or 0.0), -(one.points or 0.0), one.row.prospect_id)


def _moved(row: ListRow, motion: str) -> ListRow:
    return ListRow(row.line, row.prospect_id, {**row.values, "motion": motion})


def _scored(model: FitModel, rows: Sequence[ListRow], options: FitOptions) -> list[Ranked]:
    from models.explain import reasons

    bundle, horizon = model.bundle, model.horizon
    policy = VettingSettings.model_validate(options.vetting)
    frame = model.facts([r.values for r in rows], year=options.year)
    matrix = bundle.encode(frame)
    scores = bundle.score(matrix, horizons=[horizon])
    points, outside = bundle.points(matrix), bundle.outside(matrix)
    totals = model.fit_scores(matrix)
    told = reasons(bundle, frame, matrix, horizon=horizon, max_reasons=SHOWN)
    noticed = bundle.warnings(frame)
    found = []
    for i, row in enumerate(rows):
        chance = _number(scores.probability[horizon][i])
        one = Ranked(
            row=row,
            rank=0,
            fit_score=totals[i],
            probability=chance,
            low=_number(scores.low[horizon][i]),
            high=_number(scores.high[horizon][i]),
            evidence=scores.evidence[i],
            outside=bool(outside[i]),
            verdict=_verdict(model, row.values, totals[i], scores.evidence[i], bool(outside[i]), policy),
            points=_number(points[i]),
            reasons_for=tuple(r.sentence for r in told[i].reasons if r.contribution > 0),
            reasons_against=tuple(r.sentence for r in told[i].reasons if r.contribution < 0),
            warnings=tuple(dict.fromkeys([*scores.warnings[i], *noticed[i]])),
            model=bundle.model,
        )
        found.append(one)
    return found


def _verdict(
    model: FitModel,
    values: Mapping[str, Any],
    score: int | None,
    evidence: str,
    outside: bool,
    policy: VettingSettings,
) -> str:
    rate = model.recruited.rate
    return vet(
        values, fit_score=score, evidence=evidence, outside=outside, policy=policy, base_rate=rate
    ).verdict


def _number(value: Any) -> float | None:
    return None if value != value else float(value)
