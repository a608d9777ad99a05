"""Workspaces of ready-made columns only: learned from, judged, promoted and scored by command."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.functional.cli.conftest import run

MAPPING = """\
config_version: 1
snapshots:
  - model: {model}
    path: panel.csv
    entity_id: Händler Nr
    as_of: Stichtag
    label: Gekündigt?
    positive: "Ja"
    horizon_days: 90
    post_outcome: [Bestellungen danach]
    group: Mutter
training: {{trials: 0}}
evaluation: {{origins: 2, replicates: 50}}
"""
FEATURES = ("Umsatz (€)", "Besuche im Portal", "Land", "Letzter Besuch")
BANDS = """\
config_version: 1
snapshots:
  - {model: size, path: bands.csv, entity_id: [id, site], label: orders, bands: [3, 8], order_by: number}
training: {trials: 0}
evaluation: {replicates: 50}
"""


def panel(dealers: int = 150, dates: int = 9) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    days = pd.date_range("2023-01-01", periods=dates, freq="91D")
    frame = pd.DataFrame(
        [(f"H{i:03d}", d) for d in days for i in range(dealers)], columns=["Händler Nr", "Stichtag"]
    )
    size = len(frame)
    effort = rng.normal(size=size)
    leaves = rng.uniform(size=size) < 1 / (1 + np.exp(1.6 + 1.5 * effort))
    return frame.assign(
        **{
            "Umsatz (€)": np.round(1000 * np.exp(0.5 * effort + 0.3 * rng.normal(size=size)), 2),
            "Besuche im Portal": rng.poisson(np.exp(1 + 0.6 * effort)),
            "Land": rng.choice(["DE", "AT", "CH"], size),
            "Letzter Besuch": frame["Stichtag"] - pd.to_timedelta(rng.integers(1, 90, size), unit="D"),
            "Mutter": [f"M{int(h[1:]) // 2}" for h in frame["Händler Nr"]],
            "Bestellungen danach": np.where(leaves, 0, 5),
            "Gekündigt?": np.where(leaves, "Ja", "Nein"),
        }
    )


def make(root: Path, *, model: str = "Kündigung") -> Path:
    root.mkdir(parents=True, exist_ok=True)
    panel().to_csv(root / "panel.csv", index=False)
    (root / "partnerintel.yaml").write_text(MAPPING.format(model=model))
    return root


@pytest.fixture(scope="module")
def dealers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make(tmp_path_factory.mktemp("dealers"))
    run("train", "Kündigung", "-w", root)
    run("promote", "Kündigung", "-w", root)
    return root


def test_a_model_of_ones_own_passes_its_gate_and_leaves_out_what_came_after(
    dealers: Path, tmp_path: Path
) -> None:
    run("evaluate", "Kündigung", "-w", dealers, "--json", tmp_path / "f.json")
    found = json.loads((tmp_path / "f.json").read_text())
    assert found["gate"] == {"passed": True, "refusals": []}
    assert found["split"].startswith("purged time split")
    assert {d["column"] for d in found["dropped_columns"]} >= {"Bestellungen danach"}
    assert found["metrics"]["auc"]["value"] > 0.7


def test_test_dates_can_be_fixed(dealers: Path, tmp_path: Path) -> None:
    run("evaluate", "Kündigung", "-w", dealers, "--test-at", "2024-06-30", "--json", tmp_path / "f.json")
    assert [o["name"] for o in json.loads((tmp_path / "f.json").read_text())["origins"]] == ["2024-06-30"]


def test_everyone_is_scored_as_of_their_newest_row(dealers: Path, tmp_path: Path) -> None:
    run("score", "Kündigung", "-w", dealers, "-o", tmp_path / "out.csv")
    scores = pd.read_csv(tmp_path / "out.csv")
    assert len(scores) == 150
    assert set(scores["Stichtag"]) == {"2024-12-29T00:00:00Z"}


def test_a_file_of_new_rows_is_scored_with_the_past_the_panel_holds(dealers: Path, tmp_path: Path) -> None:
    """Newest rows handed in alone must score as the same rows inside the panel: lags come from there."""
    newest = panel()[lambda f: f["Stichtag"] == f["Stichtag"].max()].head(20)
    newest.drop(columns=["Gekündigt?", "Bestellungen danach"]).to_csv(
        tmp_path / "new.csv", index=False, sep=";"
    )
    run("score", "Kündigung", tmp_path / "new.csv", "-w", dealers, "-o", tmp_path / "new.parquet")
    run("score", "Kündigung", "-w", dealers, "-o", tmp_path / "all.parquet")
    found = pd.read_parquet(tmp_path / "new.parquet").set_index("Händler Nr")
    wanted = pd.read_parquet(tmp_path / "all.parquet").set_index("Händler Nr").loc[found.index]
    assert len(found) == 20
    pd.testing.assert_series_equal(found["probability_90d"], wanted["probability_90d"], rtol=0, atol=1e-12)


def test_a_dealer_is_explained_and_the_decision_replayed(dealers: Path) -> None:
    shown = run("explain", "H007", "--model", "Kündigung", "-w", dealers).output
    assert re.search(r"^  90 days  [\d.]+%", shown, re.MULTILINE)
    decision = re.findall(r"^decision (\S+)$", shown, re.MULTILINE)[0]
    assert "replayed: identical" in run("replay", decision, "-w", dealers).output
    assert "'H999'" in run("explain", "H999", "--model", "Kündigung", "-w", dealers, code=5).stderr


def test_evaluating_writes_nothing_into_a_workspace(tmp_path: Path) -> None:
    root = make(tmp_path / "read-only")
    run("evaluate", "Kündigung", "-w", root)
    assert sorted(p.name for p in root.iterdir()) == ["panel.csv", "partnerintel.yaml"]


def test_run_trains_and_promotes_ready_made_columns_and_then_rests(tmp_path: Path) -> None:
    root = make(tmp_path / "nightly")
    assert "is champion" in run("run", "-w", root).output
    assert "trained 0 days ago, kept" in run("run", "-w", root).output


def test_ordered_classes_are_trained_judged_and_scored(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=400)
    frame = pd.DataFrame(
        {"id": range(400), "site": "a", "number": range(400), "x": x, "z": rng.normal(size=400)}
    )
    frame.assign(orders=rng.poisson(np.exp(1.4 + 0.6 * x))).to_csv(tmp_path / "bands.csv", index=False)
    (tmp_path / "partnerintel.yaml").write_text(BANDS)
    run("train", "size", "-w", tmp_path)
    run("promote", "size", "-w", tmp_path, "--reason", "a trial")
    run("evaluate", "size", "-w", tmp_path, "--json", tmp_path / "f.json")
    found = json.loads((tmp_path / "f.json").read_text())
    assert set(found["metrics"]) == {"quadratic_weighted_kappa", "macro_f1", "mean_absolute_error"}
    run("score", "size", "-w", tmp_path, "-o", tmp_path / "out.csv")
    scores = pd.read_csv(tmp_path / "out.csv")
    assert set(scores["class"]) <= {0, 1, 2}
    assert (scores["probability_from_3"] >= scores["probability_from_8"]).all()
    assert "%" in run("explain", "7/a", "--model", "size", "-w", tmp_path).output


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        (lambda f: f.assign(**{"Gekündigt?": "Nein"}), 3, "PI-D060"),
        (lambda f: f.assign(**{"Gekündigt?": None}), 3, "PI-D060"),
        (lambda f: f.assign(**{"Händler Nr": None}), 3, "row 2, Händler Nr is required and missing"),
        (lambda f: f.assign(**dict.fromkeys(FEATURES)), 3, "PI-D063"),
        (lambda f: pd.concat([f, f.head(1).assign(Land="FR")]), 3, "PI-D061"),
        (lambda f: f.drop(columns="Stichtag"), 3, "Stichtag"),
        (lambda f: f.head(0), 3, "PI-D002"),
        (lambda f: f.head(12), 6, ""),
    ],
    ids=[
        "one class", "no label at all", "no identifier at all", "all missing", "duplicate ids",
        "missing column", "empty", "a dozen rows",
    ],
)  # fmt: skip
def test_a_panel_that_cannot_be_learned_from_is_refused(
    tmp_path: Path, change: object, code: int, says: str
) -> None:
    root = make(tmp_path)
    change(panel()).to_csv(root / "panel.csv", index=False)  # type: ignore[operator]
    assert says in run("train", "Kündigung", "-w", root, code=code).stderr


def test_bad_rows_of_a_panel_are_quarantined_and_the_rest_is_learned_from(tmp_path: Path) -> None:
    root = make(tmp_path)
    frame = panel().astype({"Besuche im Portal": object})
    frame.loc[4, "Stichtag"] = pd.NaT
    frame.to_csv(root / "panel.csv", index=False)
    told = run("train", "Kündigung", "-w", root).stderr
    assert "row 6, Stichtag" in told
    assert list((root / "lake" / "quarantine").glob("Kündigung-*.csv"))


def test_rows_dated_in_the_future_are_quarantined_and_no_test_date(tmp_path: Path) -> None:
    root = make(tmp_path)
    frame = panel()
    frame.loc[3, "Stichtag"] = pd.Timestamp("2199-01-01")
    frame.to_csv(root / "panel.csv", index=False)
    result = run("evaluate", "Kündigung", "-w", root)
    assert "PI-D029 error: Kündigung, row 5, Stichtag: lies in the future" in result.stderr
    assert "(given: 2199-01-01)" in result.stderr
    assert "2199" not in result.stdout
    frame.assign(Stichtag="2199-01-01").head(5).to_csv(root / "panel.csv", index=False)
    assert "every row is dated in the future" in run("train", "Kündigung", "-w", root, code=3).stderr


def as_they_come(text: str) -> list[bytes]:
    """The same panel as several programs would export it."""
    lines = text.splitlines()
    formats = ("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y")
    dated = panel()
    dated["Stichtag"] = [d.strftime(formats[i % 3]) for i, d in enumerate(dated["Stichtag"])]
    one_odd = [*lines[:5], lines[5].replace(",", ";"), *lines[6:]]
    return [
        b"\xef\xbb\xbf" + text.encode(),
        text.encode("cp1252"),
        text.replace(",", ";").encode(),
        dated.to_csv(index=False).encode(),
        "\n".join([*one_odd, ""]).encode(),
    ]


def test_a_panel_is_read_as_it_comes(tmp_path: Path) -> None:
    from data.snapshots import read_snapshot
    from partnerintel.settings import open_project

    root = make(tmp_path)
    mapping = open_project(root).data.snapshots[0]
    wanted = read_snapshot(mapping, base=root).frame
    *whole, torn = as_they_come((root / "panel.csv").read_text())
    for content in whole:
        (root / "panel.csv").write_bytes(content)
        pd.testing.assert_frame_equal(read_snapshot(mapping, base=root).frame, wanted)
    (root / "panel.csv").write_bytes(torn)
    found = read_snapshot(mapping, base=root)
    assert len(found.frame) == len(wanted) - 1
    assert [(f.code, f.row) for f in found.findings if f.severity == "error"] == [("PI-D020", 6)]


@pytest.mark.parametrize("name", ["../elsewhere", "a/b", ".hidden", "", "x:y"])
def test_a_model_name_that_would_leave_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    root = make(tmp_path / "w", model=f'"{name}"')
    assert "snapshots[0].model" in run("train", "all", "-w", root, code=2).stderr


@pytest.mark.datasets
def test_the_committed_example_is_judged_without_being_written_to(datasets: Path, tmp_path: Path) -> None:
    example = Path(__file__).resolve().parents[3] / "examples" / "lead_scoring"
    before = sorted(example.iterdir())
    env = {"PARTNERINTEL_DATASETS": str(datasets)}
    run("evaluate", "lead_conversion", "-w", example, "--json", tmp_path / "f.json", env=env)
    assert sorted(example.iterdir()) == before
    found = json.loads((tmp_path / "f.json").read_text())
    assert found["metrics"]["auc"]["value"] > 0.86
    assert found["split"].startswith("ordered split")
