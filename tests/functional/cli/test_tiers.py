"""Tiers by command: train, review, try other rules, put them in force, print the pack of a review."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from models.tiering.policy import read_policy
from tests.functional.cli.conftest import Shop, run


@pytest.fixture(scope="module")
def reviewed(trained: Shop) -> Shop:
    steps = {
        "tiering": run("train", "tiering", "-w", trained.root),
        "review": run("tiers", "review", "-w", trained.root),
    }
    return Shop(trained.root, {**trained.steps, **steps})


def test_training_prints_the_ladder_of_the_potential(reviewed: Shop) -> None:
    shown = reviewed.steps["tiering"].output
    assert re.search(r"^tiering version \d+: \d+ test rows, mean amount [\d,]+", shown, re.MULTILINE)
    for name in ("top_fifth_share", "past_revenue", "scorecard", "hindsight"):
        assert name in shown


def test_the_report_and_the_card_of_the_potential_are_kept(reviewed: Shop) -> None:
    folder = reviewed.root / "reports" / "tiering"
    report = max(folder.glob("[0-9]*.json"), key=lambda path: int(path.stem))
    found = json.loads(report.read_text())
    assert 0 < found["metrics"]["top_fifth_share"]["value"] <= 1
    assert "Share in the top fifth" in report.with_suffix(".html").read_text()


def test_a_review_says_what_it_recommends_and_a_second_one_changes_nothing(reviewed: Shop) -> None:
    said = r"(\d+) partners reviewed; (\d+) changes recommended anew, (\d+) still open"
    first = re.search(said, reviewed.steps["review"].output)
    assert first
    again = re.search(said, run("tiers", "review", "-w", reviewed.root).output)
    assert again
    assert (again[1], again[2]) == (first[1], "0")
    assert int(again[3]) == int(first[2]) + int(first[3]) > 0


def test_other_rules_are_tried_and_nothing_is_changed(reviewed: Shop, tmp_path: Path) -> None:
    value = read_policy("balanced_scorecard").to_json()
    value["tiers"][1]["cut"] = 40
    (tmp_path / "NEW.yaml").write_text(yaml.safe_dump({**value, "name": "Harder silver"}))
    out = tmp_path / "found.json"
    shown = run(
        "tiers", "simulate", "--policy", tmp_path / "NEW.yaml", "-w", reviewed.root, "--json", out
    ).output
    assert "'Balanced scorecard' against 'Harder silver'" in shown
    assert re.search(r"benefits a year: [\d,]+ → [\d,]+ USD", shown)
    assert "Held against earned" in shown
    found = json.loads(out.read_text())["comparison"]
    assert found["moves"]
    assert not [m for m in found["moves"] if m["up"]]
    assert found["benefits_new_usd"] < found["benefits_now_usd"]
    same = run("tiers", "simulate", "--policy", "balanced_scorecard", "-w", reviewed.root).output
    assert "0 move up, 0 down" in same


def test_rules_are_put_in_force_with_a_reason(reviewed: Shop) -> None:
    given = ("--policy", "points_programme", "--reason", "agreed by the council", "-w", reviewed.root)
    assert "tier policy 2 is in force" in run("tiers", "policy", *given).output
    back = ("--policy", "balanced_scorecard", "--reason", "back again", "-w", reviewed.root)
    assert "tier policy 3 is in force" in run("tiers", "policy", *back).output


def test_the_pack_of_a_review_is_one_page_that_loads_nothing(reviewed: Shop, tmp_path: Path) -> None:
    partner = "P000010"
    out = tmp_path / "pack.html"
    run("qbr", partner, "-w", reviewed.root, "-o", out)
    page = out.read_text()
    for heading in ("Tier", "Health", "Next twelve months", "Pipeline", "Enablement", "Among peers"):
        assert f"<h2>{heading}" in page
    assert partner in page
    assert not re.search(r"https?://|src=|@import|url\(|<script", page)
    again = tmp_path / "again.html"
    run("qbr", partner, "-w", reviewed.root, "-o", again)
    assert again.read_text() == page


def test_the_pack_of_an_unknown_partner_is_refused(reviewed: Shop, tmp_path: Path) -> None:
    refused = run("qbr", "nobody", "-w", reviewed.root, "-o", tmp_path / "x.html", code=5)
    assert "No partner under agreement is called 'nobody'" in refused.stderr + refused.output
    assert not (tmp_path / "x.html").exists()


def test_a_policy_that_cannot_be_used_is_refused_in_words(reviewed: Shop, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("name: x\n")
    refused = run("tiers", "simulate", "--policy", tmp_path / "bad.yaml", "-w", reviewed.root, code=2)
    assert "The tier policy cannot be used" in refused.stderr + refused.output
