"""What goes wrong with files to score, and with the model that should score them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.functional.cli.conftest import Shop, run


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        (None, 3, "PI-D001"),
        ("", 3, "PI-D002"),
        ("partner_id\nP1\n", 3, "PI-D063"),
        ("name,won_count_90d\nx,1\n", 3, "partner_id"),
        ("partner_id,colour\nP1,red\n", 3, "login_trend"),
    ],
    ids=["no file", "empty", "identifiers only", "no identifier", "other columns"],
)
def test_a_file_of_rows_that_cannot_be_scored_is_refused(
    promoted: Shop, tmp_path: Path, text: str | None, code: int, says: str
) -> None:
    rows = tmp_path / "rows.csv"
    if text is not None:
        rows.write_text(text)
    told = run("score", "churn", rows, "-w", promoted.root, "-o", tmp_path / "out.csv", code=code).stderr
    assert says in told
    assert not (tmp_path / "out.csv").exists()


def test_bad_rows_of_a_scored_file_are_set_aside_and_the_others_scored(
    promoted: Shop, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("partner_id,won_count_90d\nP1,3\nP2,three\n,4\nP4,0\n")
    result = run("score", "churn", rows, "-w", promoted.root, "-o", tmp_path / "out.csv")
    assert "2 rows scored" in result.output
    assert "row 3, won_count_90d" in result.stderr
    assert "row 4, partner_id" in result.stderr


@pytest.mark.parametrize(
    ("content", "scored"),
    [
        ("partner_id;won_count_90d\nP1;3\nP2;0\n".encode("utf-8-sig"), 2),
        ("partner_id,won_count_90d\nMüller,3\nP2,0\n".encode("latin-1"), 2),
        (b"partner_id,won_count_90d\nP1,3\nP2;0\nP3,1\n", 2),
    ],
    ids=["BOM and semicolons", "Latin-1", "mixed separators"],
)
def test_files_to_score_are_read_as_they_come(
    promoted: Shop, tmp_path: Path, content: bytes, scored: int
) -> None:
    (tmp_path / "rows.csv").write_bytes(content)
    out = tmp_path / "out.csv"
    assert (
        f"{scored} rows scored"
        in run("score", "churn", tmp_path / "rows.csv", "-w", promoted.root, "-o", out).output
    )
    assert len(pd.read_csv(out)) == scored


def test_one_partner_twice_in_a_file_to_score_is_refused(promoted: Shop, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("partner_id,won_count_90d\nP1,3\nP1,4\n")
    told = run(
        "score", "churn", tmp_path / "rows.csv", "-w", promoted.root, "-o", tmp_path / "out.csv", code=3
    ).stderr
    assert "PI-D061" in told
    assert "rows 2 and 3" in told
    assert not (tmp_path / "out.csv").exists()


def test_a_damaged_champion_is_refused_and_never_scored_with(promoted: Shop, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(promoted.root, root)
    for text in [*root.rglob("bundles/churn/2/*.txt"), *root.rglob("mlflow/artifacts/**/*.txt")]:
        text.write_bytes(text.read_bytes()[:-20])
    told = run("score", "churn", "-w", root, "-o", tmp_path / "out.csv", code=9).stderr
    assert "churn" in told
    assert not (tmp_path / "out.csv").exists()


def test_a_damaged_local_copy_is_healed_from_the_registry(promoted: Shop, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(promoted.root, root)
    for text in root.rglob("bundles/churn/2/*.txt"):
        text.write_bytes(text.read_bytes()[:-20])
    run("score", "churn", "-w", root, "-o", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").is_file()
