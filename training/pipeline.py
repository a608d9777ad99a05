"""From a data set to a registered candidate; the scorecard comes first, so that there is always a fallback."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from data.errors import MissingDataError, NotEnoughEvidenceError
from models.bundle import Bundle, save_bundle
from models.registry import Registry
from training.dataset import Dataset
from training.estimators import fit, fit_unlabelled, usable_scorecard
from training.params import Params
from training.settings import TrainingSettings
from training.splits import Split, final_split
from training.track import Tracker
from training.tune import Found, search

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Candidate:
    """A registered version that may become champion.

    Attributes:
        model: Model name.
        version: Version in the registry.
        run_id: MLflow run.
        bundle: The fitted model, with its identity.
        found: What the search came to.
    """

    model: str
    version: int
    run_id: str
    bundle: Bundle
    found: Found


def train(
    dataset: Dataset,
    *,
    settings: TrainingSettings,
    registry: Registry,
    tracker: Tracker,
    data_version: str,
    now: datetime,
    storage: Path | None = None,
    progress: Progress | None = None,
) -> Candidate:
    """Search, fit on all that is known, and register; registering is the last step.

    The calibrator sees the newest outcomes, which the model it belongs to had not seen; the model is then
    refitted on all of them with the same settings, exactly as at each origin of the evaluation.

    Args:
        dataset: Rows and labels.
        settings: Trials and seed.
        registry: Where versions are kept.
        tracker: Where runs are recorded.
        data_version: What the data was, for the record.
        now: When, naive UTC.
        storage: Optuna's file; None: a search that cannot be resumed.
        progress: Called with what is done and the share.

    Raises:
        NotEnoughEvidenceError: No outcome is known, or all are the same; the scorecard serves meanwhile.
    """
    tell = progress or (lambda _what, _share: None)
    tell("scorecard", 0.0)
    ensure_fallback(dataset, registry=registry, seed=settings.seed, now=now)
    split = final_split(dataset)
    found = search(
        dataset, split, trials=settings.trials, seed=settings.seed, storage=storage,
        progress=lambda what, share: tell(what, 0.05 + 0.65 * share),
    )  # fmt: skip
    tell("fit", 0.75)
    bundle = fit(dataset, split, params=found.params, seed=settings.seed)
    tell("register", 0.95)
    tags = {"data_version": data_version, "study": found.study, "trained_at": now.isoformat()}
    run = tracker.begin(dataset.spec.name, params=found.params.to_json(), tags=tags)
    tracker.metrics(run, {"search_loss": found.loss, "trials": found.trials, "rows": len(split.refit)})
    bundle, version = _register(bundle, registry, run=run, tags=tags)
    tracker.end(run)
    tell("registered", 1.0)
    return Candidate(dataset.spec.name, version, run, bundle, found)


def ensure_fallback(dataset: Dataset, *, registry: Registry, seed: int, now: datetime) -> int | None:
    """Make the customer's scorecard the first champion where a model has none.

    Returns:
        Its version; None when there is a champion already, or neither scorecard nor labels to fall back on.
    """
    if registry.champion(dataset.spec.name) is not None or usable_scorecard(dataset) is None:
        return None
    _, version = _register(
        _scorecard_bundle(dataset, seed=seed), registry, run=None, tags={"kind": "scorecard"}
    )
    registry.promote(
        dataset.spec.name, version, expected=None, by="training", reason="the scorecard comes first", at=now
    )
    return version


def _scorecard_bundle(dataset: Dataset, *, seed: int) -> Bundle:
    try:
        split: Split = final_split(dataset)
        return fit(dataset, split, params=Params(), seed=seed, scorecard_only=True)
    except NotEnoughEvidenceError:
        try:
            return fit_unlabelled(dataset)
        except MissingDataError as error:  # pragma: no cover - usable_scorecard said otherwise
            raise NotEnoughEvidenceError(str(error)) from error


def _register(
    bundle: Bundle, registry: Registry, *, run: str | None, tags: dict[str, str]
) -> tuple[Bundle, int]:
    with tempfile.TemporaryDirectory(prefix="bundle-") as scratch:
        folder = Path(scratch) / "bundle"
        sealed = save_bundle(bundle, folder)
        return sealed, registry.register(bundle.model, folder, run_id=run, tags=tags)
