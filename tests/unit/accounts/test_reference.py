"""What the matcher does on real companies and sites."""

from __future__ import annotations

import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.accounts import best_match, duplicates
from models.accounts.fitting import fit_weights, join
from models.accounts.reference import (
    COMPANIES,
    Sites,
    company_examples,
    out_of_fold,
    pairwise,
    read_sites,
)
from models.accounts.scoring import Weights, load_weights

pytestmark = pytest.mark.datasets


@pytest.fixture(scope="module")
def sites(datasets: Path) -> Sites:
    return read_sites(datasets)


@pytest.mark.slow
def test_sites_unseen_by_the_fit_are_matched(datasets: Path, sites: Sites) -> None:
    """Every pair is scored by a fit that saw neither of its two sites."""
    full, without_phone, _ = out_of_fold(sites, company_examples(datasets), folds=3, seed=1)
    assert not np.isnan(full).any()
    merge = load_weights().merge
    measured = pairwise(sites.same, full, sites.true_pairs, threshold=merge)
    print(f"childcare_sites, out of fold, at {merge}: {measured}")
    assert measured["f1"] >= 0.90
    assert measured["precision"] >= 0.95
    assert pairwise(sites.same, without_phone, sites.true_pairs, threshold=merge)["f1"] >= 0.90


@pytest.mark.slow
def test_probabilities_of_unseen_sites_are_calibrated(datasets: Path, sites: Sites) -> None:
    full, *_ = out_of_fold(sites, company_examples(datasets), folds=3, seed=2)
    assert abs(full.mean() - sites.same.mean()) <= 0.02
    for low, high in ((0.0, 0.1), (0.9, 1.0)):
        inside = (full >= low) & (full <= high)
        assert abs(full[inside].mean() - sites.same[inside].mean()) <= 0.03


@pytest.mark.slow
def test_groups_of_sites_unseen_by_the_fit_are_pure_and_complete(datasets: Path, sites: Sites) -> None:
    """The groups people see, after average linkage: sites of the one half, weights from the other half."""
    half = np.array([zlib.crc32(str(t).encode()) % 2 == 1 for t in sites.truth])
    seen = ~half[sites.a] & ~half[sites.b]
    fitted = fit_weights(join(company_examples(datasets), sites.examples(seen)))
    weights = Weights(*fitted, merge=load_weights().merge, provenance={})
    truth = dict(zip(sorted(sites.frame["id"]), sites.truth, strict=True))
    unseen = {i for i, kept in zip(truth, half, strict=True) if kept}
    groups = duplicates(sites.frame[sites.frame["id"].isin(unseen)], weights=weights)
    found = [Counter(truth[i] for i in g.ids) for g in groups]
    hits = sum(_pairs(n) for c in found for n in c.values())
    precision = hits / sum(_pairs(len(g.ids)) for g in groups)
    recall = hits / sum(_pairs(n) for n in Counter(truth[i] for i in unseen).values())
    print(f"childcare_sites groups: precision {precision:.4f}, recall {recall:.4f}")
    assert precision >= 0.95
    assert 2 * precision * recall / (precision + recall) >= 0.90


def _pairs(n: int) -> int:
    return n * (n - 1) // 2


def test_listing_names_find_their_registry_names(datasets: Path) -> None:
    raw = pd.read_csv(datasets / COMPANIES, dtype=str, keep_default_na=False)
    listed = pd.DataFrame({"id": raw["symbol"], "name": raw["listing_name"]})
    registered = pd.DataFrame({"id": raw["symbol"], "name": raw["sec_name"]})
    found = best_match(listed, registered)
    right = sum(m.left_id == m.right_id for m in found.values()) / len(raw)
    print(f"company_names: top-1 {right:.4f} of {len(raw)}")
    assert right >= 0.99


def test_different_companies_of_a_register_are_hardly_ever_merged(datasets: Path) -> None:
    """All 5,229 are different, and only their names are known: every group is a false one."""
    raw = pd.read_csv(datasets / COMPANIES, dtype=str, keep_default_na=False)
    groups = duplicates(pd.DataFrame({"id": raw["symbol"], "name": raw["sec_name"]}))
    print(f"company_names: {len(groups)} false groups among {len(raw)} companies")
    assert sum(len(g.ids) for g in groups) <= 0.004 * len(raw)


@pytest.mark.slow
def test_weights_from_the_sites_alone_find_registry_names_too(datasets: Path, sites: Sites) -> None:
    """Top-1 does not rest on having fitted on these very names."""
    everything = np.ones(sites.same.size, dtype=bool)
    weights = Weights(*fit_weights(sites.examples(everything)), merge=0.8, provenance={})
    raw = pd.read_csv(datasets / COMPANIES, dtype=str, keep_default_na=False)
    listed = pd.DataFrame({"id": raw["symbol"], "name": raw["listing_name"]})
    registered = pd.DataFrame({"id": raw["symbol"], "name": raw["sec_name"]})
    found = best_match(listed, registered, weights=weights)
    right = sum(m.left_id == m.right_id for m in found.values()) / len(raw)
    print(f"company_names, weights from the sites alone: top-1 {right:.4f}")
    assert right >= 0.98


def test_shuffled_sites_give_the_same_groups(sites: Sites) -> None:
    part = sites.frame.iloc[:600]
    assert duplicates(part.sample(frac=1.0, random_state=3)) == duplicates(part)
