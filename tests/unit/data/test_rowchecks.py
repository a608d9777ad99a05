"""Each bad row is set aside with its number, field, code and raw value; good rows are kept."""

import csv
from datetime import datetime, timedelta

import pytest

from data.errors import DataError

NOW = datetime(2025, 1, 1)
HEADER = "survey_id,partner_id,score,event_at\n"
GOOD = "s1,p1,7,2024-01-02\n"


@pytest.mark.parametrize(
    ("row", "code", "field", "given"),
    [
        ("s2,p2,seven,2024-01-02", "PI-D023", "score", "seven"),
        ("s2,p2,,2024-01-02", "PI-D022", "score", ""),
        ("s2,p2,NA,2024-01-02", "PI-D022", "score", "NA"),
        ("s2,p2,11,2024-01-02", "PI-D028", "score", "11"),
        ("s2,p2,-1,2024-01-02", "PI-D028", "score", "-1"),
        ("s2,p2,1e999,2024-01-02", "PI-D023", "score", "1e999"),
        ("s2,p2,7,2024-02-30", "PI-D025", "event_at", "2024-02-30"),
        ("s2,p2,7,", "PI-D022", "event_at", ""),
        ("s2,p2,7,2025-01-02", "PI-D029", "event_at", "2025-01-02"),
        ("s2,p2,7,9999-12-31", "PI-D032", "event_at", "9999-12-31"),
        ("s2,p2,7,1066-10-14", "PI-D032", "event_at", "1066-10-14"),
        (" ,p2,7,2024-01-02", "PI-D022", "survey_id", ""),
        ("s2,,7,2024-01-02", "PI-D022", "partner_id", ""),
    ],
)
def test_a_bad_row_is_set_aside(workspace, row, code, field, given):
    report, faults, rows = workspace.surveys(HEADER + GOOD + row + "\n")
    assert rows["survey_id"].tolist() == ["s1"]
    assert [(f.code, f.row, f.field, f.given) for f in faults] == [(code, 3, field, given)]
    assert (report.rows_in, report.rows_new, report.rows_quarantined) == (2, 1, 1)


def test_a_row_with_two_faults_counts_once_and_names_both(workspace):
    report, faults, _ = workspace.surveys(HEADER + GOOD + "s2,p2,seven,never\n")
    assert report.rows_quarantined == 1
    assert [f.field for f in faults] == ["event_at", "score"]


def test_the_clock_may_differ_by_five_minutes(workspace):
    soon, later = NOW + timedelta(minutes=5), NOW + timedelta(minutes=5, seconds=1)
    _, faults, rows = workspace.surveys(f"{HEADER}s1,p1,7,{soon}\ns2,p2,7,{later}\n")
    assert rows["survey_id"].tolist() == ["s1"]
    assert [f.code for f in faults] == ["PI-D029"]


def test_unknown_partners_are_set_aside_when_there_is_a_partners_table(workspace):
    workspace.write("partners.csv", "partner_id\np1\n")
    workspace.write("surveys.csv", HEADER + GOOD + "s2,p2,7,2024-01-02\n")
    tables = {"partners": {"path": "partners.csv"}, "surveys": {"path": "surveys.csv"}}
    report = workspace.ingest(tables)
    assert report.tables["surveys"].rows_quarantined == 1
    assert [(f.code, f.row, f.given) for f in report.findings] == [("PI-D030", 3, "p2")]
    # Once the partner is there, the row comes in.
    workspace.write("partners.csv", "partner_id\np1\np2\n")
    again = workspace.ingest(tables).tables["surveys"]
    assert (again.rows_new, again.rows_seen, again.rows_quarantined) == (1, 1, 0)


def test_partners_of_an_earlier_ingest_are_known(workspace):
    workspace.write("partners.csv", "partner_id\np1\n")
    workspace.ingest({"partners": {"path": "partners.csv"}})
    report, faults, _ = workspace.surveys(HEADER + GOOD + "s2,p2,7,2024-01-02\n")
    assert (report.rows_new, [f.code for f in faults]) == (1, ["PI-D030"])


def test_without_partners_the_report_says_so(workspace):
    workspace.write("surveys.csv", HEADER + GOOD)
    report = workspace.ingest({"surveys": {"path": "surveys.csv"}})
    assert [f.code for f in report.findings] == ["PI-D044"]


def test_closed_sets_ignore_case_and_name_what_is_allowed(workspace):
    workspace.write(
        "deals.csv", "deal_id,partner_id,status,event_at\nd1,p1,Won,2024-01-02\nd2,p1,paid,2024-01-02\n"
    )
    report = workspace.ingest({"deals": {"path": "deals.csv"}})
    assert workspace.lake.read("deals")["status"].tolist() == ["won"]
    (fault,) = [f for f in report.findings if f.row]
    assert (fault.code, fault.given, fault.reason) == (
        "PI-D027",
        "paid",
        "is not one of registered, won, lost, expired",
    )


def test_whole_numbers_and_yes_no_are_checked(workspace):
    workspace.write("partners.csv", "partner_id,employee_count\np1,12\np2,12.5\np3,\np4,NULL\n")
    workspace.write(
        "deals.csv",
        "deal_id,partner_id,status,sourced,event_at\nd1,p1,won,Yes,2024-01-02\nd2,p1,won,maybe,2024-01-02\n",
    )
    report = workspace.ingest({"partners": {"path": "partners.csv"}, "deals": {"path": "deals.csv"}})
    assert [(f.code, f.given) for f in report.findings] == [("PI-D024", "12.5"), ("PI-D026", "maybe")]
    assert workspace.lake.read("partners")["employee_count"].tolist()[0] == 12
    assert workspace.lake.read("partners")["employee_count"].isna().tolist() == [False, True, True]
    assert workspace.lake.read("deals")["sourced"].tolist() == [True]


def test_ambiguous_dates_ask_for_their_format(workspace):
    rows = HEADER + "s1,p1,7,03/04/2024\n"
    with pytest.raises(
        DataError, match=r"'03/04/2024'.*may be day/month or month/day.*PI-D008.*dates: \[DD/MM/YYYY\]"
    ):
        workspace.surveys(rows)
    _, _, read = workspace.surveys(rows, dates=["MM/DD/YYYY"])
    assert read["event_at"].tolist() == [datetime(2024, 3, 4)]


def test_ambiguous_numbers_ask_for_their_decimal_sign(workspace):
    rows = (HEADER + "s1,p1,1.234,2024-01-02\n").replace(",", ";")
    with pytest.raises(DataError, match=r"'1.234'.*thousands or a fraction.*PI-D009.*decimal:"):
        workspace.surveys(rows)
    _, _, read = workspace.surveys(rows, decimal=".")
    assert read["score"].tolist() == [1.234]


def test_three_date_formats_in_one_column_are_all_read(workspace):
    _, faults, read = workspace.surveys(
        HEADER + "a,p,1,2024-05-06\nb,p,2,06.05.2024\nc,p,3,05/06/2024\nd,p,4,05/25/2024\n"
    )
    assert faults == []
    assert read["event_at"].tolist() == [datetime(2024, 5, 6)] * 3 + [datetime(2024, 5, 25)]


def test_a_column_without_any_value_is_reported(workspace):
    workspace.write("partners.csv", "partner_id,city\np1,\np2,\n")
    columns = {"partner_id": "partner_id", "city": "city"}
    report = workspace.ingest({"partners": {"path": "partners.csv", "columns": columns}})
    assert [(f.code, f.field) for f in report.findings] == [("PI-D042", "city")]


def test_a_required_column_without_any_value_quarantines_every_row(workspace):
    report, faults, rows = workspace.surveys(HEADER + "s1,p1,,2024-01-02\ns2,p2,,2024-01-02\n")
    assert (report.rows_quarantined, len(rows), {f.code for f in faults}) == (2, 0, {"PI-D022"})


def test_the_quarantine_file_holds_every_fault_and_nothing_a_spreadsheet_would_run(workspace):
    report, faults, _ = workspace.surveys(
        HEADER + GOOD + "s2,p2,=HYPERLINK(1),2024-01-02\ns3,p3\ns4,p4,-3,2024-01-02\n"
    )
    with report.quarantine.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted((r["row"], r["field"], r["code"], r["given"]) for r in rows) == [
        ("3", "score", "PI-D023", "'=HYPERLINK(1)"),
        ("4", "", "PI-D020", "s3,p3"),
        ("5", "score", "PI-D028", "-3"),
    ]
    assert report.quarantine.parent == workspace.folder / "lake" / "quarantine"
    assert all(f.anchor == f"docs/reference/checks.md#{f.code.lower()}" for f in faults)
