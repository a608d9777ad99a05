"""A new routing policy from file to force: compared, judged by the log, tried, promoted, taken back."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from data.simulate import simulate, write
from tests.functional.cli.conftest import run

UNTIL = date(2026, 10, 31)
SECTIONS = """\
features: {every: 60d}
routing: {win_days: 90}
training: {trials: 0}
evaluation: {simulated: true}
"""
SOFT = "exploration_share: 0.4\nexploration_most_value: 1000000000\nrelationship: ignore\n"
BANDED = SOFT + "bands: [{by: size, label: small, least_share: 0.4}]\nband_tolerance: 1.0\n"


def workspace(root: Path, preset: str, **given: Any) -> Path:
    """A small world, ingested; the second half of its history is enough for models and judgement."""
    start = date(2024, 10, 1)
    config = write(simulate(preset, partners=60, seed=4, start=start, end=UNTIL, **given), root)
    config.write_text(config.read_text() + SECTIONS)
    run("ingest", "-w", root)
    return root


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = workspace(tmp_path_factory.mktemp("policies"), "demo", leads=24, explore_share=0.6)
    (root / "soft.yaml").write_text(SOFT)
    (root / "banded.yaml").write_text(BANDED)
    return root


def policy(shop: Path, *arguments: object, code: int = 0) -> str:
    found = run("policy", *arguments, "-w", shop, code=code)
    return found.output + found.stderr


def test_the_whole_way_of_a_policy(shop: Path) -> None:
    assert "default" in policy(shop, "list")
    assert "routing policy 2 (soft) is kept" in policy(shop, "add", shop / "soft.yaml")
    assert "routing policy 2 (soft) is kept" in policy(shop, "add", shop / "soft.yaml")
    assert '"exploration_share": 0.4' in policy(shop, "show", 2)
    refused = policy(shop, "promote", 2, code=7)
    assert "was not judged against version 1; version 1 stays in force" in refused
    assert "1 is in force, 2 on trial for 10%" in policy(shop, "promote", 2, "--canary", 0.1)
    assert "on trial, 10%" in policy(shop, "list")
    assert "No verdict: since the trial began, version 2 decided 0 leads" in policy(shop, "trial")
    assert policy(shop, "rollback").strip() == "routing policy 1 is in force"
    assert "No routing policy is on trial" in policy(shop, "trial", code=5)
    assert policy(shop, "promote", 2, "--reason", "to explore").strip() == "routing policy 2 is in force"
    assert policy(shop, "rollback").strip() == "routing policy 1 is in force"
    assert "in force already" in policy(shop, "promote", 1, code=4)
    assert "There is no routing policy 9" in policy(shop, "promote", 9, "--reason", "x", code=5)


def banded(shop: Path) -> str:
    """The version under which the rules with fairness bands are kept."""
    found = re.search(r"routing policy (\d+)", policy(shop, "add", shop / "banded.yaml"))
    assert found
    return found[1]


@pytest.mark.slow
def test_a_judged_policy_tells_value_support_exposure_and_the_price_of_fairness(shop: Path) -> None:
    out = shop / "judged.json"
    said = policy(shop, "evaluate", banded(shop), "--json", out)
    found = json.loads(out.read_text())
    assert found["leads_judged"] > 300
    values = found["policy_value"]
    assert values["dr"]["low"] < values["dr"]["value"] < values["dr"]["high"]
    assert 0 < found["support"]["effective_size"] < found["leads_judged"]
    assert found["fairness"]["wins_given_up_per_100"] > 0
    small = next(r for r in found["exposure"]["size"] if r["size"] == "small")
    assert small["after"] > small["before"]
    assert found["verdict"]["code"] in said or found["verdict"]["message"] in said
    assert "against 1)" in policy(shop, "list")


@pytest.mark.slow
def test_a_difference_names_the_leads_and_agrees_with_itself(shop: Path) -> None:
    out, version = shop / "diff.json", banded(shop)
    policy(shop, "diff", version, "--json", out)
    found = json.loads(out.read_text())
    assert found["changed"] == len(found["leads"]) > 0
    assert all(row["before"] != row["after"] for row in found["leads"])
    policy(shop, "diff", version, "--against", version, "--json", out)
    same = json.loads(out.read_text())
    assert (same["changed"], same["moved_share"]) == (0, 0.0)


@pytest.mark.slow
def test_the_report_counts_every_offer_once(shop: Path) -> None:
    out = shop / "report.json"
    assert "accepted" in policy(shop, "report", "--since", "2026-01-01", "--json", out)
    found = json.loads(out.read_text())
    for rows in found["exposure"].values():
        assert sum(r["offers"] for r in rows) == found["answers"]["offers"]
        assert all(r["reached_share"] is None or r["reached_share"] <= 1 for r in rows)


@pytest.mark.slow
def test_a_log_without_chance_gets_no_verdict(tmp_path: Path) -> None:
    root = workspace(tmp_path, "policy_deterministic", leads=16)
    (root / "soft.yaml").write_text(SOFT)
    policy(root, "add", root / "soft.yaml")
    said = policy(root, "evaluate", 2)
    assert "No verdict: the log always chose the same way" in said
    assert "version 1 stays in force" in policy(root, "promote", 2, code=7)


def test_a_rule_that_cannot_be_used_is_refused_with_its_place(shop: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("exploration_share: 2\n")
    assert "/exploration_share" in policy(shop, "add", bad, code=4)
    assert "cannot be read" in policy(shop, "add", tmp_path / "none.yaml", code=4)
