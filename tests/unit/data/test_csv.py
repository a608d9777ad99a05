"""CSV files as they come: the right table cell for cell, or a line and a reason."""

import gzip

import pytest

from data.errors import DataError, MissingDataError

HEADER = "survey_id,partner_id,score,event_at\n"
ROW = "s1,p1,7,2024-01-02\n"


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separator_and_line_ends_are_found_out(workspace, separator, end):
    text = (HEADER + ROW + "s2,p2,8,2024-01-03\n").replace(",", separator).replace("\n", end)
    report, faults, rows = workspace.surveys(text)
    assert (report.rows_in, report.rows_new, faults) == (2, 2, [])
    assert rows["score"].tolist() == [7.0, 8.0]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"]
)
def test_encoding_is_found_out(workspace, encoding):
    report, _, rows = workspace.surveys(HEADER + "s1,Müller é,7,2024-01-02\n", encoding)
    assert report.rows_new == 1
    assert rows["partner_id"].tolist() == ["Müller é"]


def test_an_encoding_that_was_guessed_is_reported(workspace):
    workspace.write("surveys.csv", HEADER + "s1,Müller,7,2024-01-02\n", "cp1252")
    report = workspace.ingest({"surveys": {"path": "surveys.csv"}})
    assert "PI-D043" in {f.code for f in report.findings}


def test_a_latin_1_letter_far_down_is_found(workspace):
    lines = "".join(f"s{i},p{i},7,2024-01-02\n" for i in range(3000))
    _, _, rows = workspace.surveys(HEADER + lines + "s9999,Müller,7,2024-01-02\n", "latin-1")
    assert "Müller" in set(rows["partner_id"])


@pytest.mark.parametrize("name", ["NA", "None", "NULL", "nan", "n/a", "true", "-"])
def test_names_that_look_like_nothing_stay_names(workspace, name):
    _, faults, rows = workspace.surveys(f"{HEADER}s1,{name},7,2024-01-02\n")
    assert (rows["partner_id"].tolist(), faults) == ([name], [])


@pytest.mark.parametrize(
    "key", ["00123", "9007199254740993", "123456789012345678901234567890", "1e5", "1.0", "1/2"]
)
def test_identifiers_stay_exactly_as_written(workspace, key):
    _, faults, rows = workspace.surveys(f"{HEADER}{key},{key},7,2024-01-02\n")
    assert (rows["survey_id"].tolist(), rows["partner_id"].tolist(), faults) == ([key], [key], [])


def test_rows_too_long_or_too_short_are_set_aside_with_their_line(workspace):
    text = HEADER + ROW + "s2,p2,8,2024-01-03,extra\ns3,p3\n\ns4,p4,9,2024-01-04\n"
    report, faults, rows = workspace.surveys(text)
    assert rows["survey_id"].tolist() == ["s1", "s4"]
    assert [(f.code, f.row, f.given) for f in faults] == [
        ("PI-D020", 3, "s2,p2,8,2024-01-03,extra"),
        ("PI-D020", 4, "s3,p3"),
    ]
    assert (report.rows_in, report.rows_new, report.rows_quarantined) == (4, 2, 2)


def test_a_row_with_another_separator_is_set_aside(workspace):
    _, faults, rows = workspace.surveys(HEADER + ROW + "s2;p2;8;2024-01-03\n")
    assert rows["survey_id"].tolist() == ["s1"]
    assert [(f.code, f.row) for f in faults] == [("PI-D020", 3)]


def test_lines_are_counted_through_quoted_line_ends(workspace):
    text = HEADER + '"s1","p\n1\n",7,2024-01-02\ns2,p2,eight,2024-01-03\n'
    _, faults, rows = workspace.surveys(text)
    assert rows["partner_id"].tolist() == ["p\n1"]
    assert [(f.code, f.row, f.field, f.given) for f in faults] == [("PI-D023", 5, "score", "eight")]


def test_quoted_separators_and_quotes_are_text(workspace):
    _, _, rows = workspace.surveys(HEADER + '"s,1","the ""best""",7,2024-01-02\n')
    assert rows[["survey_id", "partner_id"]].to_numpy().tolist() == [["s,1", 'the "best"']]


def test_malformed_quotes_are_set_aside(workspace):
    _, faults, rows = workspace.surveys(HEADER + '"s"1,p1,7,2024-01-02\n' + "s2,p2,7,2024-01-02\n")
    assert rows["survey_id"].tolist() == ["s2"]
    assert [(f.code, f.row) for f in faults] == [("PI-D021", 2)]


def test_a_quote_that_is_never_closed_refuses_the_file(workspace):
    with pytest.raises(DataError, match=r"line 3 opens a quote that is never closed \(PI-D004\)"):
        workspace.surveys(HEADER + ROW + '"s2,p2,7,2024-01-02\ns3,p3,7,2024-01-02\n')
    assert not workspace.lake.has("surveys")


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", HEADER, HEADER + "\n\n"])
def test_an_empty_file_is_refused(workspace, content):
    with pytest.raises(DataError, match="PI-D002"):
        workspace.surveys(content)


@pytest.mark.parametrize("content", [b"PK\x03\x04rest", b"a,b\x00\x01,c\nd", b"PAR1rest"])
def test_a_file_that_is_not_text_is_refused(workspace, content):
    workspace.write("surveys.csv", content)
    with pytest.raises(DataError, match="PI-D003"):
        workspace.ingest({"surveys": {"path": "surveys.csv"}})


def test_a_wrong_encoding_in_the_mapping_is_refused(workspace):
    with pytest.raises(DataError, match=r"cannot be decoded as utf-8 \(PI-D003\)"):
        workspace.surveys(HEADER + "s1,Müller,7,2024-01-02\n", "latin-1", encoding="utf-8")


def test_an_encoding_nobody_knows_is_refused(workspace):
    with pytest.raises(DataError, match="no encoding called 'utf-9'"):
        workspace.surveys(HEADER + ROW, encoding="utf-9")


def test_a_needed_column_named_twice_is_refused(workspace):
    with pytest.raises(DataError, match=r"two columns called 'score' \(PI-D007\)"):
        workspace.surveys("survey_id,partner_id,score,score,event_at\ns1,p1,7,8,2024-01-02\n")


def test_other_columns_named_twice_do_not_matter(workspace):
    _, _, rows = workspace.surveys("note,survey_id,partner_id,score,note,event_at\nx,s1,p1,7,y,2024-01-02\n")
    assert rows["score"].tolist() == [7.0]


def test_columns_that_differ_in_case_only_are_two(workspace):
    _, _, rows = workspace.surveys("SCORE,survey_id,partner_id,score,event_at\n1,s1,p1,7,2024-01-02\n")
    assert rows["score"].tolist() == [7.0]


def test_the_separator_is_the_one_that_gives_the_mapped_names(workspace):
    text = "survey_id;partner_id;score;event_at;a,b,c,d,e,f\ns1;p1;7;2024-01-02;a,b,c,d,e,f\n"
    _, faults, rows = workspace.surveys(text)
    assert (rows["score"].tolist(), faults) == ([7.0], [])


def test_the_spreadsheet_hint_line_is_understood(workspace):
    _, faults, rows = workspace.surveys("sep=;\n" + (HEADER + ROW).replace(",", ";"))
    assert (rows["survey_id"].tolist(), faults) == (["s1"], [])


def test_several_files_feed_one_table_whatever_their_column_order(workspace):
    workspace.write("q/a.csv", HEADER + ROW)
    workspace.write("q/b.csv", "event_at,score,partner_id,survey_id\n2024-01-03,8,p2,s2\n")
    report = workspace.ingest({"surveys": {"path": "q/*.csv"}})
    assert report.tables["surveys"].rows_new == 2
    assert workspace.lake.read("surveys")["score"].tolist() == [7.0, 8.0]


def test_files_of_a_glob_must_have_the_same_columns(workspace):
    workspace.write("q/a.csv", HEADER + ROW)
    workspace.write("q/b.csv", "event_at,score,partner_id,id\n2024-01-03,8,p2,s2\n")
    with pytest.raises(MissingDataError, match=r"b.csv and a.csv differ in their columns: id, survey_id"):
        workspace.ingest({"surveys": {"path": "q/*.csv"}})


def test_packed_files_are_read(workspace):
    workspace.write("surveys.csv.gz", gzip.compress((HEADER + ROW).encode()))
    report = workspace.ingest({"surveys": {"path": "surveys.csv.gz"}})
    assert report.tables["surveys"].rows_new == 1


def test_a_missing_file_names_the_nearest(workspace):
    workspace.write("survey.csv", HEADER + ROW)
    with pytest.raises(DataError, match=r"PI-D001\). Did you mean survey.csv\?"):
        workspace.ingest({"surveys": {"path": "surveys.csv"}})


def test_a_missing_column_names_the_nearest(workspace):
    workspace.write("surveys.csv", HEADER + ROW)
    columns = {"survey_id": "survey id", "partner_id": "partner_id", "score": "score", "event_at": "event_at"}
    with pytest.raises(
        MissingDataError, match=r"no column 'survey id'.*PI-D005.*Did you mean 'survey_id'\?"
    ) as fault:
        workspace.ingest({"surveys": {"path": "surveys.csv", "columns": columns}})
    assert fault.value.pointer == "surveys.survey_id"
