"""Fit on simulated recruiters: at every size no worse than the scorecard, and better from 200 partners on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evaluation.origin import probabilities
from evaluation.references import logistic
from models.bundle import Bundle
from tests.unit.fit.worlds import dataset_of, world_of
from training.estimators import fit
from training.splits import EMPTY, Split, final_split

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
SEEDS, SIZES, PARTNERS = 12, (40, 80, 200, 600), 4_200


def split_of(dataset, rows, test):
    by = dataset.known_at().max()
    return Split("held out", "repeated grouped folds", rows, EMPTY, rows, test, None, by)


def figures(y, p):
    from sklearn.metrics import log_loss, roc_auc_score

    return {"auc": roc_auc_score(y, p), "loss": log_loss(y, p)}


def default_trees(dataset, bundle: Bundle, rows, test):
    from lightgbm import LGBMClassifier

    inputs = bundle.encode(dataset.rows(rows))
    model = LGBMClassifier(verbose=-1, n_jobs=1, random_state=0).fit(inputs, dataset.labels()[rows])
    return model.booster_.predict(bundle.encode(dataset.rows(test)))


def one_world(seed):
    world = world_of(PARTNERS, seed=100 + seed)
    dataset = dataset_of(world)
    order = np.random.default_rng(seed).permutation(dataset.size)
    test, y = np.sort(order[max(SIZES) :]), dataset.labels()
    truth = world.truth["prospects"].set_index("prospect_id")["fit_probability"]
    best = truth.reindex(dataset.frame["prospect_id"]).to_numpy()[test]
    for size in SIZES:
        rows = np.sort(order[:size])
        split = split_of(dataset, rows, test)
        bundle = fit(dataset, split, seed=1, spread=False)
        card = fit(dataset, split, seed=1, spread=False, scorecard_only=True)
        answers = {
            "bayes": best,
            "card": probabilities(card, dataset, test),
            "model": probabilities(bundle, dataset, test),
            "logistic": logistic(dataset, split),
            "lightgbm": default_trees(dataset, bundle, rows, test),
        }
        for name, p in answers.items():
            yield {"seed": seed, "size": size, "of": name, **figures(y[test], p)}


@pytest.fixture(scope="module")
def measured():
    rows = [row for seed in range(SEEDS) for row in one_world(seed)]
    frame = pd.DataFrame(rows)
    print(frame.pivot_table(index="size", columns="of", values=["auc", "loss"]).round(4).to_string())
    return frame


def mean(frame, size, of, what):
    return float(frame.loc[(frame["size"] == size) & (frame["of"] == of), what].mean())


@pytest.mark.parametrize("size", SIZES)
def test_the_mean_auc_is_never_below_the_scorecards(measured, size):
    assert mean(measured, size, "model", "auc") >= mean(measured, size, "card", "auc")


@pytest.mark.parametrize("size", [200, 600])
def test_from_200_partners_on_it_is_better_by_a_hundredth_and_in_log_loss(measured, size):
    assert mean(measured, size, "model", "auc") >= mean(measured, size, "card", "auc") + 0.01
    assert mean(measured, size, "model", "loss") < mean(measured, size, "card", "loss")


@pytest.mark.parametrize("size", SIZES)
def test_it_is_better_than_plain_logistic_and_default_trees(measured, size):
    for other in ("logistic", "lightgbm"):
        assert mean(measured, size, "model", "auc") > mean(measured, size, other, "auc")


def test_outsiders_are_promised_less_than_without_the_flag():
    """Over-scoring of those outside experience, in points of probability, against the truth."""
    from dataclasses import replace

    found = []
    for seed in range(8):
        world = world_of(2_000, seed=200 + seed)
        dataset = dataset_of(world)
        bundle = fit(dataset, final_split(dataset), seed=1, spread=False)
        last = world.tables["prospects"].drop_duplicates("prospect_id")
        from models.fit.facts import build_facts

        facts = build_facts(last, year=last["event_at"].dt.year.to_numpy())
        truth = world.truth["prospects"].set_index("prospect_id")["fit_probability"]
        truth = truth.reindex(last["prospect_id"]).to_numpy()
        matrix = bundle.encode(facts)
        outside = bundle.outside(matrix)
        served, plain = (
            1 / (1 + np.exp(-b.eta(matrix, horizon=365))) for b in (bundle, replace(bundle, experience=None))
        )
        loss = [float(np.mean((p - truth)[outside] ** 2)) for p in (served, plain)]
        found.append([outside.mean(), *((p - truth)[outside].mean() for p in (served, plain)), *loss])
    share, with_flag, without, loss, loss_without = np.mean(found, axis=0)
    print(
        {"outside": share, "over": with_flag, "over without": without, "brier": loss, "without": loss_without}
    )
    assert 0.01 < share <= 0.2
    assert abs(with_flag) < 0.1
