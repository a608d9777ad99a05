"""Search of the settings: seeded, resumable, pruned, on data binned once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from data.errors import NotEnoughEvidenceError
from training.arena import CHUNK, MOST_ROUNDS, PATIENCE, Arena, best_penalty, build_arena
from training.dataset import Dataset
from training.estimators import PRIOR_SHARE, usable_scorecard
from training.onethread import one_thread
from training.params import Params
from training.splits import Split

Progress = Callable[[str, float], None]
REPORT_EVERY = 100  # rounds; a report costs a commit to the study's file
LITTLE = 100  # entities with the rarer outcome; below, only a few careful points are tried
CAREFUL = (
    Params(),
    Params(max_depth=2, l2=20.0),
    Params(max_depth=2, learning_rate=0.02, min_rows=40.0, l2=50.0),
    Params(max_depth=1, l2=20.0),
)


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Attributes:
        params: Settings.
        loss: Mean negative log-likelihood on the inner validation parts; NaN where nothing was tried.
        trials: Points tried, those of earlier runs included.
        study: Name of the study; empty where nothing was tried.
    """

    params: Params
    loss: float = float("nan")
    trials: int = 0
    study: str = ""


@one_thread()
def search(
    dataset: Dataset,
    split: Split,
    *,
    trials: int,
    seed: int,
    storage: Path | None = None,
    progress: Progress | None = None,
) -> Found:
    """The settings with the least mean log-loss on inner, purged validation parts of the training rows.

    The same data, columns and seed continue the same study: a search that was stopped goes on. With too few
    outcomes for an inner split the defaults are kept, which are made for little data.

    Args:
        dataset: Rows and labels.
        split: Only its `train` rows are looked at.
        trials: Points in all, those of an earlier run included; 0: the defaults.
        seed: Seed of sampler, folds and trees.
        storage: SQLite file of the study; None: in memory.
        progress: Called with (what, share done).
    """
    if trials < 1:
        return Found(Params())
    scorecard = usable_scorecard(dataset, least_share=PRIOR_SHARE)
    try:
        arena = build_arena(dataset, split, scorecard=scorecard, seed=seed)
    except NotEnoughEvidenceError:
        return Found(Params())
    trials = min(trials, len(CAREFUL)) if arena.rarer < LITTLE else trials
    study = run_study(arena, trials=trials, seed=seed, storage=storage, progress=progress)
    best = study.best_trial
    found = replace(Params(**best.params), rounds=best.user_attrs["rounds"])
    penalty = best_penalty(arena, dataset, scorecard=scorecard)
    return Found(replace(found, linear_penalty=penalty), best.value, finished(study), arena.key)


def run_study(
    arena: Arena, *, trials: int, seed: int, storage: Path | None = None, progress: Progress | None = None
) -> Any:
    """The Optuna study of an arena with at least `trials` finished points."""
    study = _study(arena, storage, seed)
    for number in range(finished(study), trials):
        if progress:
            progress(f"trial {number + 1} of {trials}", number / trials)
        study.optimize(lambda trial: _objective(trial, arena), n_trials=1)
    if progress:
        progress("search done", 1.0)
    return study


def finished(study: Any) -> int:
    """Points completed or pruned."""
    from optuna.trial import TrialState

    return len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)))


def _study(arena: Arena, storage: Path | None, seed: int) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if storage is not None:
        storage.parent.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        study_name=arena.key,
        storage=None if storage is None else f"sqlite:///{storage.resolve()}",
        load_if_exists=True,
        direction="minimize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=REPORT_EVERY - 1),
    )
    # A resumed search draws new points, and the same ones whenever it is resumed from there.
    study.sampler = optuna.samplers.TPESampler(seed=seed + finished(study))
    if not study.trials:
        for point in CAREFUL if arena.rarer < LITTLE else CAREFUL[:2]:
            study.enqueue_trial(_point(point))
    return study


def _objective(trial: Any, arena: Arena) -> float:
    race = arena.race(_suggest(trial))
    best, since, rounds = float("inf"), 0, CHUNK
    while race.rounds < MOST_ROUNDS and since < PATIENCE:
        loss = race.advance()
        since = 0 if loss < best else since + 1
        if loss < best:
            best = loss
            rounds = race.rounds
        if race.rounds % REPORT_EVERY == 0 and _hopeless(trial, loss, race.rounds):
            import optuna

            raise optuna.TrialPruned
    trial.set_user_attr("rounds", rounds)
    trial.set_user_attr("grown", race.rounds)
    return best


def _hopeless(trial: Any, loss: float, rounds: int) -> bool:
    trial.report(loss, rounds)
    return bool(trial.should_prune())


def _suggest(trial: Any) -> Params:
    return Params(
        rounds=MOST_ROUNDS,
        learning_rate=trial.suggest_float("learning_rate", 0.01, 0.1, log=True),
        max_depth=trial.suggest_int("max_depth", 1, 5),
        min_rows=trial.suggest_float("min_rows", 5.0, 100.0, log=True),
        l2=trial.suggest_float("l2", 1.0, 100.0, log=True),
        feature_share=trial.suggest_float("feature_share", 0.2, 0.8),
    )


def _point(params: Params) -> dict[str, float]:
    return {k: v for k, v in params.to_json().items() if k not in ("rounds", "linear_penalty")}
