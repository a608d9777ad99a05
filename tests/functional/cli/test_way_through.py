"""From raw tables to an explained and replayed score, by the commands of the README."""

from __future__ import annotations

import json
import math
import re
import sqlite3
from pathlib import Path

import pandas as pd
import pytest

from tests.functional.cli.conftest import Shop, run, run_apart

METRICS = {
    "auc",
    "average_precision",
    "log_loss",
    "brier",
    "calibration_slope",
    "calibration_in_the_large",
    "precision_at_50",
    "lift_at_10pct",
}
SHAPE = {
    "model": str,
    "version": int,
    "n_train": int,
    "n_test": int,
    "base_rate": float,
    "split": str,
    "metrics": dict,
    "baselines": dict,
    "gate": dict,
    "dropped_columns": list,
}


def test_init_writes_a_commented_config_and_a_template_for_every_table(tmp_path: Path) -> None:
    shown = run("init", tmp_path / "shop").output
    assert str(tmp_path / "shop" / "partnerintel.yaml") in shown
    assert (tmp_path / "shop" / "templates" / "deals.csv").is_file()
    text = (tmp_path / "shop" / "partnerintel.yaml").read_text()
    assert text.count("#") > 40


def test_init_never_overwrites(tmp_path: Path) -> None:
    run("init", tmp_path)
    (tmp_path / "partnerintel.yaml").write_text("config_version: 1\n")
    assert "exists already" in run("init", tmp_path, code=2).stderr
    assert (tmp_path / "partnerintel.yaml").read_text() == "config_version: 1\n"


def test_init_from_an_example_reads_the_same_data_from_elsewhere(tmp_path: Path) -> None:
    panel = tmp_path / "theirs" / "panel.csv"
    panel.parent.mkdir()
    panel.write_text("id,x,won\n" + "".join(f"{i},{i % 7},{i % 2}\n" for i in range(60)))
    (panel.parent / "partnerintel.yaml").write_text(
        "# kept\nconfig_version: 1\nroot: .   # here\n"
        "snapshots:\n  - {model: m, path: panel.csv, entity_id: id, label: won}\n"
    )
    run("init", tmp_path / "mine", "--from", panel.parent)
    text = (tmp_path / "mine" / "partnerintel.yaml").read_text()
    assert text.startswith("# kept")
    assert f"root: {panel.parent}   # here" in text
    assert "test rows" in run("evaluate", "m", "-w", tmp_path / "mine").output


def test_ingest_counts_rows_by_table(prepared: Shop) -> None:
    shown = prepared.steps["ingest"].output
    assert re.search(r"^partners\s+\d+\s+\d+\s+0\s", shown, re.MULTILINE)
    assert (prepared.root / "lake" / "manifest.json").is_file()


def test_ingesting_again_adds_nothing(prepared: Shop) -> None:
    before = (prepared.root / "lake" / "manifest.json").read_text()
    shown = run("ingest", "-w", prepared.root).output
    counts = re.findall(r"^[a-z_]+ +[\d,]+ +([\d,]+) +[\d,]+ +[\d,]+ +[\d,]+$", shown, re.MULTILINE)
    assert len(counts) >= 8
    assert set(counts) == {"0"}
    assert (prepared.root / "lake" / "manifest.json").read_text() == before


def test_features_end_with_the_data_not_with_today(prepared: Shop) -> None:
    assert "online as of 2024-10-31" in prepared.steps["features"].output
    assert "0 snapshots built" in run("features", "-w", prepared.root).output


def test_training_prints_the_ladder_and_the_model_card(trained: Shop) -> None:
    shown = trained.steps["train"].output
    for rung in ("prevalence", "recency", "scorecard", "logistic", "model"):
        assert re.search(rf"^{rung}\s+\d\.\d+ \(", shown, re.MULTILINE)
    card = re.search(r"Model card: (.*)", shown)
    assert card
    assert Path(card[1]).read_text().startswith("<!doctype html")


def test_evaluate_json_has_exactly_the_documented_shape(trained: Shop, tmp_path: Path) -> None:
    run("evaluate", "churn", "-w", trained.root, "--json", tmp_path / "figures.json")
    text = (tmp_path / "figures.json").read_text()
    found = json.loads(text)
    for key, kind in SHAPE.items():
        assert isinstance(found[key], kind), key
    assert list(found)[: len(SHAPE)] == list(SHAPE)
    assert set(found["metrics"]) == METRICS
    for estimate in found["metrics"].values():
        assert set(estimate) == {"value", "low", "high"}
    assert found["gate"]["passed"] is False
    assert all(set(r) == {"code", "message"} for r in found["gate"]["refusals"])
    assert all(isinstance(v, float | int) for rung in found["baselines"].values() for v in rung.values())
    assert "NaN" not in text
    assert [p.name for p in tmp_path.iterdir()] == ["figures.json"]


@pytest.mark.slow
def test_the_last_test_origin_can_be_fixed_and_the_grid_follows(trained: Shop, tmp_path: Path) -> None:
    target = tmp_path / "at.json"
    run("evaluate", "churn", "-w", trained.root, "--test-at", "2024-02-15", "--json", target)
    found = json.loads(target.read_text())
    assert [o["name"] for o in found["origins"]] == ["2024-02-15"]


def test_a_refused_promotion_names_codes_and_changes_nothing(promoted: Shop) -> None:
    refused = promoted.steps["refused"]
    assert "PI-G010" in refused.stderr
    assert "version 1 stays champion" in refused.stderr
    assert "--reason" in refused.stderr


def test_an_override_is_in_the_audit_log_with_its_reason(promoted: Shop) -> None:
    assert "version 2 is champion" in promoted.steps["overridden"].output
    with sqlite3.connect(promoted.root / "state.db") as database:
        rows = database.execute(
            "SELECT actor, object, detail FROM audit_log WHERE action = 'model.promote.override'"
        ).fetchall()
    assert [(r[0], r[1]) for r in rows] == [("Kim", "churn 2")]
    assert "a trial with the north region" in rows[0][2]


def test_one_can_go_back_to_the_scorecard_by_saying_why(promoted: Shop) -> None:
    back = ("promote", "churn", "--version", 1, "-w", promoted.root)
    assert "is the scorecard; to go back to it, say why" in run(*back, code=7).stderr
    try:
        assert "version 1 is champion" in run(*back, "--reason", "the new one misleads").output
    finally:
        run("promote", "churn", "--version", 2, "--reason", "back to the trial", "-w", promoted.root)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_score_writes_every_partner(promoted: Shop, tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"scores.{suffix}"
    shown = run("score", "churn", "-w", promoted.root, "-o", target).output
    scores = pd.read_csv(target) if suffix == "csv" else pd.read_parquet(target)
    assert f"{len(scores):,} rows scored" in shown
    assert scores["partner_id"].is_unique
    assert len(scores) >= 150
    known = scores[scores["evidence"] != "insufficient"]
    assert (known["probability_30d"] <= known["probability_90d"]).all()
    assert (
        (known["low_90d"] <= known["probability_90d"]) & (known["probability_90d"] <= known["high_90d"])
    ).all()
    assert (known["reason_1"].str.len() > 10).all()
    assert set(scores["model_version"]) == {2}
    assert [p.name for p in tmp_path.iterdir()] == [target.name]


def test_rows_of_a_file_get_the_same_scores_as_the_resident_ones(promoted: Shop, tmp_path: Path) -> None:
    everyone = tmp_path / "everyone.parquet"
    run("score", "churn", "-w", promoted.root, "-o", everyone)
    features = _online_features(promoted.root).iloc[:40]
    features.to_csv(tmp_path / "rows.csv", index=False, float_format="%.17g")
    run("score", "churn", tmp_path / "rows.csv", "-w", promoted.root, "-o", tmp_path / "rows.parquet")
    wanted = pd.read_parquet(everyone).set_index("partner_id")
    found = pd.read_parquet(tmp_path / "rows.parquet").set_index("partner_id")
    assert len(found) == 40
    for column in ("probability_30d", "probability_90d", "probability_180d", "low_90d", "high_90d"):
        difference = (found[column] - wanted.loc[found.index, column]).abs().max()
        assert difference <= 1e-12, column


def _online_features(root: Path) -> pd.DataFrame:
    from partnerintel.rows import resident_rows
    from partnerintel.settings import open_project

    resident = resident_rows(open_project(root))
    return pd.concat([resident.keys[["partner_id"]], resident.features], axis=1)


def test_columns_a_file_lacks_are_named_and_count_as_missing(promoted: Shop, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("partner_id,days_since_last_login,won_count_90d\nP1,80,0\nP2,1,9\n")
    result = run("score", "churn", rows, "-w", promoted.root, "-o", tmp_path / "out.csv")
    assert "login_count_30d" in result.stderr
    assert "count as missing" in result.stderr
    assert list(pd.read_csv(tmp_path / "out.csv")["partner_id"]) == ["P1", "P2"]


def _partner(root: Path) -> str:
    features = _online_features(root)
    return str(features.loc[features["won_count_90d"].idxmax(), "partner_id"])


def test_printed_parts_add_up_to_the_printed_score(promoted: Shop) -> None:
    shown = run("explain", _partner(promoted.root), "-w", promoted.root).output
    probabilities = [float(p) for p in re.findall(r"days  ([\d.]+)%", shown)]
    parts = [float(p) for p in re.findall(r"^  ([+-]\d+\.\d{3})  (?!=)", shown, re.MULTILINE)]
    total = re.search(r"^  ([+-]\d+\.\d{3})  = log cumulative hazard$", shown, re.MULTILINE)
    assert len(probabilities) == 3
    assert probabilities == sorted(probabilities)
    assert len(parts) >= 3
    assert total
    # Each printed part is rounded to three places.
    assert sum(parts) == pytest.approx(float(total[1]), abs=0.0005 * (len(parts) + 1))
    risk = 100 * (1 - math.exp(-math.exp(float(total[1]))))
    assert risk == pytest.approx(probabilities[-1], abs=0.1)


def test_a_decision_is_replayed_identically(promoted: Shop) -> None:
    explained = run("explain", _partner(promoted.root), "-w", promoted.root).output
    decision = re.search(r"^decision (\S+)$", explained, re.MULTILINE)
    assert decision
    assert "replayed: identical" in run("replay", decision[1], "-w", promoted.root).output


def test_a_tampered_decision_is_not_replayed_as_identical(promoted: Shop) -> None:
    explained = run("explain", _partner(promoted.root), "-w", promoted.root).output
    decision = re.findall(r"^decision (\S+)$", explained, re.MULTILINE)[0]
    with sqlite3.connect(promoted.root / "state.db") as database:
        columns = [r[1] for r in database.execute("PRAGMA table_info(decisions)")]
        assert "response" in columns
        (stored,) = database.execute(
            "SELECT response FROM decisions WHERE decision_id = ?", (decision,)
        ).fetchone()
        forged = re.sub(r'"value":0\.\d', '"value":0.1', stored, count=1)
        assert forged != stored
        database.execute("UPDATE decisions SET response = ? WHERE decision_id = ?", (forged, decision))
    shown = run("replay", decision, "-w", promoted.root, code=1).output
    assert "replayed: different" in shown


def test_keys_are_created_listed_without_secrets_and_revoked(promoted: Shop) -> None:
    key = run(
        "keys", "create", "kim", "--role", "channel_manager", "--manager-id", "M001", "-w", promoted.root
    )
    secret = key.output.strip()
    key_id = secret.split("_")[1]
    listed = run("keys", "list", "-w", promoted.root).output
    assert key_id in listed
    assert secret.split("_")[2] not in listed
    run("keys", "revoke", key_id, "-w", promoted.root)
    line = next(x for x in run("keys", "list", "-w", promoted.root).output.splitlines() if key_id in x)
    assert len(re.findall(r"\d{4}-\d{2}-\d{2}T", line)) == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["create", "kim", "--role", "king"], "recruiter, channel_manager, prm, admin"),
        (["create", "kim", "--role", "channel_manager"], "--manager-id"),
        (["create", " "], "owner"),
    ],
)
def test_keys_that_make_no_sense_are_refused(promoted: Shop, arguments: list[str], says: str) -> None:
    assert says in run("keys", *arguments, "-w", promoted.root, code=4).stderr


def test_a_second_run_does_nothing_new(promoted: Shop) -> None:
    def state() -> dict[str, bytes]:
        files = ("lake/manifest.json", "registry.db", "optuna.db", "features/feeds.parquet")
        return {name: (promoted.root / name).read_bytes() for name in files}

    run("run", "-w", promoted.root)
    before = state()
    shown = run("run", "-w", promoted.root).output
    assert re.search(r"^ingest +0 new rows", shown, re.MULTILINE)
    assert re.search(r"^features +0 snapshots built", shown, re.MULTILINE)
    assert re.search(r"^churn +trained 0 days ago, kept", shown, re.MULTILINE)
    assert state() == before


def test_as_users_run_it_there_is_no_chatter_of_libraries_and_no_bar(promoted: Shop) -> None:
    done = run_apart("run", "-w", promoted.root)
    assert done.returncode == 0
    steps = [line.split()[0] for line in done.stdout.splitlines()]
    assert steps[:2] == ["ingest", "features"]
    assert {"churn", "tiering", "fit"} <= set(steps)
    lines = done.stderr.splitlines()
    assert [
        x for x in lines if not re.match(r"(ingest|features|drift [\w.]+) +\d+ %|PI-D04\d warning", x)
    ] == []
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.slow
def test_build_makes_a_bento_that_carries_the_champion(promoted: Shop) -> None:
    shown = run("build", "-w", promoted.root).output
    assert "carries churn 2" in shown
    folder = Path(shown.rsplit("in ", 1)[1].strip())
    assert (folder / "bento.yaml").is_file()


def test_drift_says_what_the_champion_sees_now_and_keeps_it_for_the_console(promoted: Shop) -> None:
    shown = run("drift", "churn", "-w", promoted.root).stdout
    assert re.match(
        r"churn: (scores (steady|moved|shifted) \(\d\.\d\d\), \d+ of \d+ columns|not enough)", shown
    )
    kept = json.loads((promoted.root / "reports" / "churn" / "drift.json").read_text())
    assert kept["score"]["n_then"] > kept["score"]["n_now"] > 0
    assert kept["since"] <= kept["until"]
    assert kept["features"]
    assert kept["advice"]


def test_drift_of_a_model_without_champion_says_what_to_do(tmp_path: Path) -> None:
    run("init", tmp_path / "new")
    assert "partnerintel train tiering" in run("drift", "tiering", "-w", tmp_path / "new", code=5).stderr
