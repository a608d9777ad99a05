"""Prospects by command: a scorecard of one's own ranks a list before any outcome is known."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from data.simulate import simulate
from tests.functional.cli.conftest import run
from tests.unit.fit.nasty import DOUBLES, FAULTS, nasty_file

CONFIG = """\
config_version: 1
tables:
  prospects: {path: prospects.parquet}
scorecards:
  fit:
    criteria:
      - {feature: partner_type, label: Kind, weight: 60, values: {Integrator: 60, reseller: 40}, other: 5}
      - feature: employee_count
        weight: 40
        bands: [{from: 10, points: 20}, {from: 50, points: 40}]
"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with prospects and a scorecard, and nothing else."""
    root = tmp_path_factory.mktemp("desk")
    world = simulate("demo", partners=60, event_rate=0.0, leads=0.01)
    world.tables["prospects"].to_parquet(root / "prospects.parquet", index=False)
    (root / "partnerintel.yaml").write_text(CONFIG)
    (root / "list.csv").write_bytes(nasty_file().content)
    run("ingest", "-w", root)
    run("train", "fit", "-w", root, code=6)
    return root


def test_a_dry_run_counts_and_names_faults_and_writes_nothing(desk: Path) -> None:
    told = run("fit-list", desk / "list.csv", "-w", desk).stdout
    assert re.search(
        rf"1,200 rows = 1,138 to rank \+ {FAULTS} faults \+ {DOUBLES} duplicates \+ 0 existing", told
    )
    assert "name = FIRMA" in told
    assert "is not a country" in told
    assert "nothing was scored" in told


def test_the_list_comes_back_ranked_by_the_scorecard(desk: Path, tmp_path: Path) -> None:
    output, faults = tmp_path / "ranked.parquet", tmp_path / "faults.csv"
    run("fit-list", desk / "list.csv", "-w", desk, "-o", output, "--faults", faults, "--motion", "resell")
    found = pd.read_parquet(output)
    ranked = found[found["pi_status"] == "ranked"]
    assert ranked["pi_rank"].tolist() == list(range(1, 1_139))
    best = ranked.iloc[0]
    assert best["Partner Typ"] == "integrator"
    assert best["pi_fit_score"] == 100
    assert ranked["pi_fit_probability"].isna().all()
    assert set(ranked["pi_evidence"]) == {"insufficient"}
    assert len(faults.read_text(encoding="utf-8-sig").splitlines()) > FAULTS


def test_a_mapping_can_be_given(desk: Path) -> None:
    told = run(
        "fit-list", desk / "list.csv", "-w", desk, "--map", "name=FIRMA", "--map", "country=Land"
    ).stdout
    assert told.startswith("Columns: name = FIRMA, country = Land\n")
    assert (
        "not FIELD=COLUMN" in run("fit-list", desk / "list.csv", "-w", desk, "--map", "name", code=4).stderr
    )
    run("fit-list", desk / "list.csv", "-w", desk, "--map", "tier=Land", code=4)
    run("fit-list", desk / "absent.csv", "-w", desk, code=4)


def test_prospects_on_record_are_scored(desk: Path, tmp_path: Path) -> None:
    run("score", "fit", "-w", desk, "-o", tmp_path / "scores.csv")
    scores = pd.read_csv(tmp_path / "scores.csv")
    assert len(scores) == 120
    assert scores["scorecard_points"].between(0, 100).all()


def test_there_is_no_profile_before_anyone_succeeded(desk: Path) -> None:
    assert "no ideal partner profile" in run("profile", "-w", desk, code=5).stderr


def test_odd_headers_are_shown_with_what_they_hold_and_how_to_name_them(desk: Path) -> None:
    source = desk / "odd.csv"
    source.write_text("Wer;Wo;Staat\nAcme GmbH;Halle;DE\nBeta AB;Lund;SE\n", encoding="utf-8")
    said = " ".join(run("fit-list", source, "-w", desk, code=4).stderr.split())
    assert "'Wer' (Acme GmbH, Beta AB)" in said
    assert '--map "name=Wer"' in said
