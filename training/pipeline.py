"""Train: search, fit on all that is known, register as a candidate; a fallback champion comes first.

Registering is the last step, so a training that is killed leaves the registry as it was, and a search goes on
from its stored trials.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from data.errors import MissingDataError, NotEnoughEvidenceError
from models.bundle import Bundle, save_bundle
from training.dataset import Dataset
from training.estimators import fit, fit_unlabelled
from training.params import Params
from training.settings import TrainingSettings
from training.splits import Split, final_split, rolling_origin
from training.track import NoTracker, Tracker
from training.tune import Found, search

Progress = Callable[[str, float], None]
FALLBACK = "initial champion: the scorecard, until a model is shown to be better"


class ModelRegistry(Protocol):
    """What training needs of `models.registry.Registry`."""

    def champion(self, model: str) -> Any:
        """The version that serves, or None."""
        ...

    def register(self, model: str, bundle_dir: Path, *, run_id: Any = None, tags: Any = None) -> int:
        """Keep an artifact as the next version."""
        ...

    def promote(self, model: str, version: int, *, expected: Any, by: str, reason: str, at: datetime) -> Any:
        """Make a version the champion."""
        ...


@dataclass(frozen=True)
class Candidate:
    """A registered version that is not champion yet.

    Attributes:
        model: Model name.
        version: Version in the registry.
        run_id: MLflow run; empty without tracking.
        found: What the search came to.
        bundle: The model.
        fallback: Version of the scorecard made champion in this training, or None.
    """

    model: str
    version: int
    run_id: str
    found: Found
    bundle: Bundle
    fallback: int | None = None

    @property
    def params(self) -> Params:
        """Settings it was fitted with."""
        return self.found.params


def params_of(bundle: Bundle) -> Params:
    """The settings a bundle was fitted with; defaults where it was not fitted."""
    return Params(**dict(bundle.trained.get("params", {})))


def train(
    dataset: Dataset,
    *,
    settings: TrainingSettings | None = None,
    registry: ModelRegistry,
    tracker: Tracker | None = None,
    seed: int | None = None,
    trials: int | None = None,
    now: datetime,
    storage: Path | None = None,
    data_version: str = "",
    progress: Progress | None = None,
) -> Candidate:
    """Search, fit and register a candidate; when the model has no champion, the scorecard becomes it first.

    Args:
        dataset: Rows and labels.
        settings: The mapping's training section.
        registry: Where versions are kept.
        tracker: Where runs are recorded; None: nowhere.
        seed: Overrides the settings'.
        trials: Overrides the settings'.
        now: When, for the record.
        storage: SQLite file of the search; None: in memory.
        data_version: Content hash of the data, for the record.
        progress: Called with (what, share done).

    Raises:
        NotEnoughEvidenceError: No outcome is known, or all are the same; the scorecard is champion by then.
    """
    settings = settings or TrainingSettings()
    tracker = tracker or NoTracker()
    seed = settings.seed if seed is None else seed
    trials = settings.trials if trials is None else trials
    tell = progress or (lambda _what, _share: None)
    model = dataset.spec.name
    fallback = ensure_fallback(dataset, registry=registry, seed=seed, now=now)
    run = tracker.start(
        model, tags={"seed": str(seed), "data_version": data_version, "source": dataset.source}
    )
    try:
        found = search(
            dataset, searched_split(dataset), trials=trials, seed=seed, storage=storage,
            progress=lambda what, share: tell(what, 0.1 + 0.6 * share),
        )  # fmt: skip
        tell("fit", 0.75)
        bundle = fit(dataset, final_split(dataset), params=found.params, seed=seed)
        trained_at = now.isoformat(timespec="seconds") + "Z"
        facts = {"data_version": data_version, "trained_at": trained_at, "study": found.study}
        sizes = {**_sizes(bundle), "search_loss": found.loss, "trials": found.trials}
        tracker.log(run, params={**found.params.to_json(), "seed": seed}, metrics=sizes)
        tell("register", 0.95)
        version = _register(bundle, registry, run, {**facts, "kind": bundle.kind})
    except BaseException:
        tracker.finish(run, failed=True)
        raise
    tracker.finish(run)
    tell("done", 1.0)
    return Candidate(model, version, run, found, bundle, fallback)


def ensure_fallback(dataset: Dataset, *, registry: ModelRegistry, seed: int, now: datetime) -> int | None:
    """Make the scorecard champion where there is none, so that there is always something to serve.

    With labels it gives calibrated probabilities; without, points and reasons only; without a scorecard it is
    the base rate.

    Returns:
        Its version; None where there is a champion already, where the model of all motions serves, or where
        there are neither labels nor scorecard.
    """
    model = dataset.spec.name
    if registry.champion(model) is not None or dataset.pooled is not None:
        return None
    try:
        bundle = fit(dataset, final_split(dataset), seed=seed, scorecard_only=True)
    except NotEnoughEvidenceError:
        try:
            bundle = fit_unlabelled(dataset)
        except MissingDataError:
            return None
    version = _register(bundle, registry, "", {"kind": "scorecard"})
    registry.promote(model, version, expected=None, by="training", reason=FALLBACK, at=now)
    return version


def searched_split(dataset: Dataset) -> Split:
    """What a search may look at: labels known before the last test date, so that its test stays honest."""
    try:
        return rolling_origin(dataset, origins=1)[0]
    except NotEnoughEvidenceError:
        return final_split(dataset)


def _register(bundle: Bundle, registry: ModelRegistry, run: str, tags: dict[str, str]) -> int:
    with tempfile.TemporaryDirectory(prefix="partnerintel-") as scratch:
        folder = Path(scratch) / "bundle"
        save_bundle(bundle, folder)
        return registry.register(bundle.model, folder, run_id=run or None, tags=tags)


def _sizes(bundle: Bundle) -> dict[str, float]:
    keys = ("n", "entities", "positives", "overlap", "linear_weight", "boosted_weight")
    return {k: float(bundle.trained[k]) for k in keys}
