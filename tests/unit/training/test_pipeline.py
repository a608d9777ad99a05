"""Training registers last, leaves a fallback first, and records what it did."""

from dataclasses import replace
from datetime import datetime

import pytest

from data.errors import NotEnoughEvidenceError
from models.bundle import load_bundle
from models.registry import Registry, RegistrySettings
from models.scorecard import Criterion, Scorecard
from tests.unit.training.worlds import dated
from training.pipeline import FALLBACK, ensure_fallback, params_of, train
from training.settings import TrainingSettings
from training.track import MlflowTracker

NOW = datetime(2026, 1, 2, 3, 4, 5)
CARD = Scorecard(criteria=(Criterion(feature="x0", weight=100, low=3, high=-3),))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    root = tmp_path_factory.mktemp("workspace")
    registry = Registry(RegistrySettings(root))
    data = replace(dated(partners=60, snapshots=16), scorecard=CARD)
    seen = []
    candidate = train(
        data,
        settings=TrainingSettings(trials=2),
        registry=registry,
        tracker=MlflowTracker(root),
        now=NOW,
        storage=root / "optuna.db",
        data_version="v1",
        progress=lambda what, share: seen.append((what, share)),
    )
    return root, registry, candidate, seen, data


def test_the_scorecard_is_champion_until_something_better_is_promoted(trained):
    _, registry, candidate, _, _ = trained
    champion = registry.champion("toy")
    assert (champion.version, champion.promoted_by, champion.reason) == (1, "training", FALLBACK)
    assert load_bundle(registry.fetch("toy", 1)).kind == "scorecard"
    assert candidate.fallback == 1
    assert candidate.version == 2


def test_the_candidate_is_registered_with_its_settings(trained):
    _, registry, candidate, _, _ = trained
    bundle = load_bundle(registry.fetch("toy", candidate.version))
    assert params_of(bundle) == candidate.params
    tags = {v.version: v.tags for v in registry.versions("toy")}[2]
    assert tags["data_version"] == "v1"
    assert tags["trained_at"] == "2026-01-02T03:04:05Z"


def test_the_run_is_recorded_with_finite_metrics(trained):
    from mlflow.tracking import MlflowClient

    root, _, candidate, _, _ = trained
    run = MlflowClient(tracking_uri=f"sqlite:///{root / 'mlflow' / 'mlflow.db'}").get_run(candidate.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["max_depth"] == str(candidate.params.max_depth)
    assert run.data.metrics["n"] > 0
    assert run.data.metrics["trials"] == 2


def test_a_metric_that_is_not_finite_is_not_recorded(trained):
    from mlflow.tracking import MlflowClient

    root, _, candidate, _, _ = trained
    tracker = MlflowTracker(root)
    tracker.log(candidate.run_id, metrics={"broken": float("nan"), "fine": 1.0})
    found = MlflowClient(tracking_uri=f"sqlite:///{root / 'mlflow' / 'mlflow.db'}").get_run(candidate.run_id)
    assert "broken" not in found.data.metrics
    assert found.data.metrics["fine"] == 1.0


def test_progress_is_told_from_start_to_end(trained):
    shares = [share for _, share in trained[3]]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_a_second_training_leaves_the_champion(trained):
    _, registry, _, _, data = trained
    before = registry.champion("toy")
    assert ensure_fallback(data, registry=registry, seed=0, now=NOW) is None
    assert registry.champion("toy") == before


def test_one_class_leaves_the_unlabelled_scorecard_and_says_why(trained):
    _, registry, _, _, data = trained
    spec = replace(data.spec, name="other")
    same = replace(data, spec=spec, outcomes=data.outcomes.assign(y=0.0))
    with pytest.raises(NotEnoughEvidenceError, match="one class only"):
        train(same, settings=TrainingSettings(trials=0), registry=registry, now=NOW)
    champion = registry.champion("other")
    assert champion is not None
    assert not load_bundle(registry.fetch("other", champion.version)).labelled
    assert [v.version for v in registry.versions("other")] == [champion.version]
