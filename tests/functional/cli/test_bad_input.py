"""What goes wrong with files and words: one readable message, its code, nothing half-written."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from data.lake import Lake
from data.simulate import simulate, write
from tests.functional.cli.conftest import Shop, run

PARTNERS = "partner_id,name,country,signed_at\np1,Müller AG,DE,2023-01-01\np2,Acme,FR,2023-02-01\n"
DEALS = "deal_id,partner_id,status,amount_usd,event_at\nd1,p1,won,100,2024-01-02\nd2,p2,won,250,2024-02-03\n"
CONFIG = "config_version: 1\ntables:\n  partners: {path: partners.csv}\n  deals: {path: deals.csv}\n"


def workspace(root: Path, files: Mapping[str, str | bytes] | None = None) -> Path:
    """Two small tables and their mapping, some of them replaced."""
    given = {"partners.csv": PARTNERS, "deals.csv": DEALS, "partnerintel.yaml": CONFIG, **(files or {})}
    for name, content in given.items():
        (root / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def ingested(root: Path) -> list[str]:
    return sorted(p.name for p in (root / "lake").glob("*/part-*"))


def read(root: Path, table: str) -> Any:
    return Lake(root / "lake").read(table)


def quarantine(root: Path, table: str) -> list[dict[str, str]]:
    files = list((root / "lake" / "quarantine").glob(f"{table}-*.csv"))
    assert len(files) == 1
    with files[0].open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("files", "code", "says"),
    [
        ({"partnerintel.yaml": CONFIG.replace("deals.csv", "deal.csv")}, 3, ["deal.csv", "PI-D001"]),
        (
            {"partnerintel.yaml": CONFIG.replace("deals.csv}", "deals.csv, columns: {deal_id: Nr}}")},
            3,
            ["'Nr'", "deal_id"],
        ),
        ({"deals.csv": "deal_id,status,event_at\nd1,won,2024-01-02\n"}, 3, ["partner_id"]),
        ({"deals.csv": ""}, 3, ["deals.csv", "PI-D002"]),
        ({"deals.csv": DEALS.splitlines()[0] + "\n"}, 3, ["deals.csv", "PI-D002"]),
        (
            {"deals.csv": DEALS.replace("2024-01-02", "02/03/2024").replace("2024-02-03", "04/05/2024")},
            3,
            ["event_at", "dates:", "PI-D008"],
        ),
        ({"deals.csv": b"\x00\x01\x02\xff" * 50}, 3, ["deals.csv"]),
        ({"deals.csv": DEALS + 'd3,p1,won,"5,2024-01-01\n'}, 3, ["deals", "line 4"]),
    ],
    ids=[
        "no file",
        "no column",
        "no required column",
        "empty",
        "header only",
        "dates",
        "bytes",
        "open quote",
    ],
)
def test_a_table_that_cannot_be_used_is_refused_and_nothing_is_written(
    tmp_path: Path, files: Mapping[str, str | bytes], code: int, says: list[str]
) -> None:
    root = workspace(tmp_path, files)
    told = run("ingest", "-w", root, code=code).stderr
    assert all(word in told for word in says), told
    assert ingested(root) == []
    assert not list((root / "lake").glob("quarantine/*"))


def test_a_condition_that_leaves_nothing_is_named(tmp_path: Path) -> None:
    config = CONFIG.replace("deals.csv}", "deals.csv, where: \"status = 'Won'\"}")
    shown = run("ingest", "-w", workspace(tmp_path, {"partnerintel.yaml": config})).output
    assert "PI-D046 warning: deals: `where:` left out all 2 rows" in shown
    assert "PI-D042" not in shown


def test_a_driver_that_is_absent_is_named(tmp_path: Path) -> None:
    sources = "sources:\n  crm: {url: 'oracle+oracledb://reader:secret@localhost/crm'}\n"
    config = CONFIG.replace("{path: deals.csv}", "{source: crm, query: SELECT 1}") + sources
    told = run("ingest", "-w", workspace(tmp_path, {"partnerintel.yaml": config}), code=3).stderr
    assert "'crm' needs the driver oracledb" in told
    assert "secret" not in told


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        ("d3,p1,won,many,2024-01-02", "amount_usd", "number"),
        ("d3,p1,won,5,soon", "event_at", "date"),
        ("d3,p9,won,5,2024-01-02", "partner_id", "partner"),
        ("d3,p1,won,5,2201-01-02", "event_at", "after the time of ingest"),
        ("d3,p1,won,5,2999-01-02", "event_at", "1900 to 2261"),
        ("d3,p1,perhaps,5,2024-01-02", "status", "not one of"),
        (",p1,won,5,2024-01-02", "deal_id", "missing"),
        ("d3,p1,won,5", "", "fields"),
    ],
)
def test_a_bad_row_is_set_aside_with_number_field_and_reason(
    tmp_path: Path, row: str, field: str, reason: str
) -> None:
    root = workspace(tmp_path, {"deals.csv": DEALS + row + "\n"})
    shown = run("ingest", "-w", root).output
    (bad,) = quarantine(root, "deals")
    assert (bad["row"], bad["field"]) == ("4", field)
    assert reason in bad["reason"]
    assert "deals, row 4" in shown
    assert "Bad rows are in" in shown
    assert len(ingested(root)) == 2


@pytest.mark.parametrize(
    "partners",
    [
        PARTNERS.replace(",", ";").encode(),
        b"\xef\xbb\xbf" + PARTNERS.encode(),
        PARTNERS.encode("latin-1"),
        PARTNERS.encode("utf-16"),
        PARTNERS.replace("2023-01-01", "2023-01-01T00:00:00Z").encode(),
        PARTNERS.replace("2023-01-01", "13/01/2023").replace("2023-02-01", "14/02/2023").encode(),
    ],
    ids=["semicolons", "BOM", "Latin-1", "UTF-16", "ISO with zone", "day first"],
)
def test_files_as_they_come_are_read(tmp_path: Path, partners: bytes) -> None:
    root = workspace(tmp_path, {"partners.csv": partners})
    run("ingest", "-w", root)
    assert sorted(read(root, "partners")["name"]) == ["Acme", "Müller AG"]


def test_rows_with_another_separator_are_set_aside_each_with_its_number(tmp_path: Path) -> None:
    rows = "d3;p1;won;5;2024-01-02\nd4,p1,won,7,2024-03-01\nd5\tp1\twon\t5\t2024-01-02\n"
    root = workspace(tmp_path, {"deals.csv": DEALS + rows})
    run("ingest", "-w", root)
    assert [(bad["row"], bad["code"]) for bad in quarantine(root, "deals")] == [
        ("4", "PI-D020"),
        ("6", "PI-D020"),
    ]
    assert set(read(root, "deals")["deal_id"]) == {"d1", "d2", "d4"}


def test_three_formats_of_date_in_one_column_are_read_and_a_fourth_is_set_aside(tmp_path: Path) -> None:
    rows = 'd3,p1,won,5,13.01.2024\nd4,p1,won,7,03/15/2024\nd5,p1,won,7,"Jan 2, 2024"\n'
    root = workspace(tmp_path, {"deals.csv": DEALS + rows})
    run("ingest", "-w", root)
    dates = read(root, "deals").set_index("deal_id")["event_at"].dt.strftime("%Y-%m-%d").to_dict()
    assert dates == {"d1": "2024-01-02", "d2": "2024-02-03", "d3": "2024-01-13", "d4": "2024-03-15"}
    (bad,) = quarantine(root, "deals")
    assert (bad["row"], bad["field"], bad["given"]) == ("6", "event_at", "Jan 2, 2024")


def test_another_encoding_is_taken_and_told(tmp_path: Path) -> None:
    root = workspace(tmp_path, {"partners.csv": PARTNERS.encode("latin-1")})
    shown = run("ingest", "-w", root).output
    assert "PI-D043" in shown
    assert "partners.csv is not UTF-8" in shown


def test_a_column_of_a_type_that_cannot_be_a_date_is_refused(tmp_path: Path) -> None:
    root = workspace(tmp_path, {"partnerintel.yaml": CONFIG.replace("deals.csv", "deals.parquet")})
    ids = {"deal_id": ["d1"], "partner_id": ["p1"], "status": ["won"], "event_at": [True]}
    pd.DataFrame(ids).to_parquet(root / "deals.parquet")
    told = run("ingest", "-w", root, code=3).stderr
    assert "PI-D011" in told
    assert "deals.event_at" in told
    assert ingested(root) == []


def test_a_column_without_any_value_is_told_and_kept(tmp_path: Path) -> None:
    root = workspace(tmp_path, {"deals.csv": DEALS.replace("100", "").replace("250", "")})
    shown = run("ingest", "-w", root).output
    assert "PI-D042 warning: deals: all values are missing in amount_usd" in shown
    assert len(read(root, "deals")) == 2


def test_where_nothing_but_commas_came_every_row_is_set_aside_with_its_number(tmp_path: Path) -> None:
    root = workspace(tmp_path, {"deals.csv": DEALS.splitlines()[0] + "\n,,,,\n,,,,\n"})
    run("ingest", "-w", root)
    bad = quarantine(root, "deals")
    assert {row["row"] for row in bad} == {"2", "3"}
    assert {row["field"] for row in bad} == {"deal_id", "event_at", "partner_id", "status"}


@pytest.mark.parametrize("command", [["ingest"], ["run"]])
def test_what_was_ingested_before_survives_a_bad_delivery_whole(tmp_path: Path, command: list[str]) -> None:
    root = workspace(tmp_path)
    run("ingest", "-w", root)
    before = {p: p.read_bytes() for p in (root / "lake").rglob("*") if p.is_file()}
    (root / "partners.csv").write_text(PARTNERS + "p3,New,DE,2024-03-01\n")
    (root / "deals.csv").write_text("deal_id,status\nd9,won\n")
    assert "PI-D006" in run(*command, "-w", root, code=3).stderr
    assert {p: p.read_bytes() for p in (root / "lake").rglob("*") if p.is_file()} == before


def test_faults_of_several_tables_are_told_at_once(tmp_path: Path) -> None:
    root = workspace(tmp_path, {"partners.csv": "", "deals.csv": "deal_id,status\nd9,won\n"})
    told = run("ingest", "-w", root, code=3).stderr
    assert "1. " in told
    assert "PI-D002" in told
    assert "2. " in told
    assert "PI-D006" in told


@pytest.mark.parametrize(
    ("tables", "says"),
    [("  deals: {path: deals.csv}\n", "`partners`"), ("  partners: {path: partners.csv}\n", "dated rows")],
    ids=["no partners", "nothing dated"],
)
@pytest.mark.parametrize("command", [["features"], ["train", "churn"], ["run"]])
def test_a_step_that_lacks_a_table_names_it(
    tmp_path: Path, command: list[str], tables: str, says: str
) -> None:
    root = workspace(tmp_path, {"partnerintel.yaml": "config_version: 1\ntables:\n" + tables})
    run("ingest", "-w", root)
    told = run(*command, "-w", root, code=3).stderr
    assert says in told
    assert "partnerintel ingest" in told


@pytest.mark.slow
def test_where_no_partner_ever_left_there_is_nothing_to_learn_and_the_night_goes_on(tmp_path: Path) -> None:
    write(simulate("one_class", partners=40, end=date(2024, 10, 31)), tmp_path)
    run("ingest", "-w", tmp_path)
    assert "one class only" in run("train", "churn", "-w", tmp_path, code=6).stderr
    assert re.search(
        r"^churn +not trained: The label has one class only", run("run", "-w", tmp_path).output, re.M
    )


def test_a_repeated_identifier_is_a_correction_and_is_reported(tmp_path: Path) -> None:
    root = workspace(tmp_path, {"deals.csv": DEALS + "d1,p1,won,999,2024-01-02\n"})
    assert "PI-D041" in run("ingest", "-w", root).output


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (CONFIG + "trainning: {trials: 1}\n", ["trainning", "Did you mean `training`"]),
        (CONFIG + "training: {trails: 1}\n", ["training.trails", "Did you mean `trials`"]),
        (CONFIG + "training: {trials: some}\n", ["training.trials", "some"]),
        (CONFIG.replace("deals:", "deal:"), ["deal", "Did you mean `deals`"]),
        ("tables: [", ["not valid YAML"]),
        ("- a\n- b\n", ["list"]),
        (CONFIG + "serving: {port: 99999}\n", ["serving.port", "99999"]),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_by_its_path(
    tmp_path: Path, config: str, says: list[str]
) -> None:
    root = workspace(tmp_path, {"partnerintel.yaml": config})
    told = run("ingest", "-w", root, code=2).stderr
    assert all(word in told for word in says), told


def every_command(root: Path) -> list[list[object]]:
    w = ["-w", root]
    return [
        ["ingest", *w],
        ["features", *w],
        ["train", "churn", *w],
        ["train", "all", *w],
        ["evaluate", "churn", *w],
        ["promote", "churn", *w],
        ["score", "churn", "-o", root / "out.csv", *w],
        ["explain", "p1", *w],
        ["replay", "dec_1", *w],
        ["serve", *w],
        ["build", *w],
        ["run", *w],
        ["keys", "create", "kim", *w],
        ["keys", "list", *w],
        ["keys", "revoke", "abc", *w],
    ]


@pytest.mark.parametrize("number", range(15))
def test_without_a_workspace_every_command_says_how_to_make_one(tmp_path: Path, number: int) -> None:
    told = run(*every_command(tmp_path)[number], code=2).stderr
    assert "partnerintel.yaml" in told
    assert "partnerintel init" in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "code", "says"),
    [
        (lambda w: ["features", *w], 3, "partnerintel ingest"),
        (lambda w: ["train", "churn", *w], 3, "partnerintel ingest"),
        (lambda w: ["evaluate", "churn", *w], 3, "partnerintel ingest"),
        (lambda w: ["promote", "churn", *w], 5, "partnerintel train churn"),
        (lambda w: ["score", "churn", "-o", w[1] / "o.csv", *w], 5, "partnerintel train churn"),
        (lambda w: ["explain", "p1", *w], 5, "partnerintel train churn"),
        (lambda w: ["replay", "dec_1", *w], 5, "dec_1"),
        (lambda w: ["build", *w], 5, "champion"),
        (lambda w: ["keys", "revoke", "abc", *w], 5, "keys list"),
    ],
)
def test_a_step_taken_too_early_names_the_one_before(
    tmp_path: Path, command: Callable[[list[object]], list[object]], code: int, says: str
) -> None:
    root = workspace(tmp_path)
    assert says in run(*command(["-w", root]), code=code).stderr


@pytest.mark.parametrize(
    "command", [["train"], ["evaluate"], ["promote"], ["score"], ["explain", "p1", "--model"]]
)
def test_an_unknown_model_is_not_found_and_the_nearest_is_suggested(
    tmp_path: Path, command: list[str]
) -> None:
    root = workspace(tmp_path)
    told = run(*command, "chrun", "-w", root, code=5).stderr
    assert "'chrun'" in told
    assert "Did you mean 'churn'" in told


def test_an_unknown_partner_is_not_found(promoted: Shop) -> None:
    assert "'P999999'" in run("explain", "P999999", "-w", promoted.root, code=5).stderr


def test_an_unknown_version_is_not_found(promoted: Shop) -> None:
    told = run("promote", "churn", "--version", 77, "-w", promoted.root, code=5).stderr
    assert "77" in told
    assert "1, 2" in told


@pytest.mark.parametrize("given", ["2024-13-01", "yesterday", "01.02.2024", "20240201", ""])
@pytest.mark.parametrize("command", ["features --as-of", "evaluate churn --test-at", "run --as-of"])
def test_a_date_that_is_none_is_refused(tmp_path: Path, command: str, given: str) -> None:
    told = run(*command.split(), given, "-w", workspace(tmp_path), code=4).stderr
    assert f"{given!r} is not a date" in told
    assert "YYYY-MM-DD" in told


@pytest.mark.parametrize("given", ["1999-01-01", "2199-01-01"])
def test_a_test_date_outside_the_data_says_what_is_inside(trained: Shop, given: str) -> None:
    told = run("evaluate", "churn", "--test-at", given, "-w", trained.root, code=4).stderr
    assert given in told
    assert "to 2024-10-01" in told


@pytest.mark.parametrize(
    ("name", "says"),
    [("no/such/out.csv", "no folder"), ("out.xlsx", ".csv"), ("out", "ending"), ("there.csv", "folder")],
)
def test_an_output_that_cannot_be_written_is_refused_before_the_work(
    promoted: Shop, tmp_path: Path, name: str, says: str
) -> None:
    (tmp_path / "there.csv").mkdir()
    told = run("score", "churn", "-w", promoted.root, "-o", tmp_path / name, code=4).stderr
    assert says in told
    assert [p.name for p in tmp_path.rglob("*")] == ["there.csv"]


def test_a_figures_file_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    root = workspace(tmp_path)
    told = run("evaluate", "churn", "-w", root, "--json", tmp_path / "no" / "x.json", code=4).stderr
    assert "no folder" in told


def test_too_little_history_is_not_enough_evidence(tmp_path: Path) -> None:
    root = workspace(tmp_path)
    run("ingest", "-w", root)
    told = run("train", "churn", "-w", root, code=6).stderr
    assert len(told.splitlines()) < 12
