"""Feature snapshots: typed columns, labels, and what is left out and why."""

from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from data.errors import DataError, MissingDataError
from data.labels import band_of
from data.mapping import SnapshotMapping
from data.snapshots import read_snapshot

NOW = datetime(2024, 1, 1)


@pytest.fixture
def read(tmp_path):
    def _read(text, *, labelled=True, kinds=None, name="panel.csv", **options):
        if isinstance(text, str):
            (tmp_path / name).write_text(text, encoding="utf-8")
        options = {"model": "churn", "path": name, "entity_id": "id", "label": "gone"} | options
        mapping = SnapshotMapping(**{k: v for k, v in options.items() if v is not None})
        return read_snapshot(mapping, base=tmp_path, labelled=labelled, kinds=kinds)

    return _read


def _csv(columns, rows):
    return "\n".join(";".join(map(str, row)) for row in [columns, *rows]) + "\n"


def _panel(**columns):
    count = len(next(iter(columns.values())))
    base = {"id": [f"00{i}" for i in range(count)], "gone": [i % 2 for i in range(count)]}
    columns = {**base, **columns}
    return _csv(columns, zip(*columns.values(), strict=True))


def test_columns_are_typed_by_all_their_values(read):
    text = _panel(
        **{
            "Zahl der Aufträge": ["1,5", "2", "", "NA"],
            "größte Stadt": ["Köln", "None", "", "NA"],
            "since": ["13.02.2024", "2024-01-05", "", "04/25/2024"],
            "VIP": ["yes", "no", "", "n"],
            "postcode": ["01234", "50667", "1", "2"],
        }
    )
    snapshot = read(text, as_of=None, entity_id="id")
    # Without as_of a date cannot be used; it is named with the reason.
    assert snapshot.dropped == (("since", "a date says nothing without `as_of:`"),)
    frame = snapshot.frame
    assert list(frame.columns) == ["id", "Zahl der Aufträge", "größte Stadt", "VIP", "postcode"]
    assert frame["id"].tolist() == ["000", "001", "002", "003"]
    np.testing.assert_array_equal(frame["Zahl der Aufträge"], [1.5, 2, np.nan, np.nan])
    assert frame["größte Stadt"].tolist() == ["Köln", "None", None, "NA"]
    assert frame["VIP"].tolist() == [True, False, pd.NA, False]
    assert frame["postcode"].tolist() == ["01234", "50667", "1", "2"]
    assert list(snapshot.kinds.values()) == ["number", "category", "boolean", "category"]


def test_dates_stay_dates_and_as_of_is_midnight(read):
    text = _panel(day=["2024-01-01 13:00", "2024-02-01"], signed=["2023-12-31", "2023-11-30 08:00"])
    snapshot = read(text, as_of="day")
    assert snapshot.frame["day"].tolist() == [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-02-01")]
    assert snapshot.frame["signed"].tolist() == [pd.Timestamp("2023-12-31"), pd.Timestamp("2023-11-30 08:00")]
    assert snapshot.frame.dtypes["signed"] == "datetime64[us]"
    assert [f.code for f in snapshot.findings] == ["PI-D066"]


@pytest.mark.parametrize(
    ("values", "positive", "label"),
    [
        (["0", "1"], None, [0, 1]),
        (["true", "false"], None, [1, 0]),
        (["Yes", "no"], None, [1, 0]),
        (["12.5", "3"], None, [12.5, 3]),
        (["lost", "kept"], "Lost", [1, 0]),
        (["Yes", "No"], "Yes", [1, 0]),
        (["1", "2"], "2", [0, 1]),
        (["1", "2"], 2, [0, 1]),
        (["true", "false"], True, [1, 0]),
    ],
)
def test_labels_in_every_spelling(read, values, positive, label):
    snapshot = read(_panel(gone=values, x=[1, 2]), positive=positive)
    assert snapshot.label.tolist() == label


def test_rows_without_a_label_are_kept_and_counted(read):
    snapshot = read(_panel(gone=["1", "", "0", "NA"], x=[1, 2, 3, 4]))
    np.testing.assert_array_equal(snapshot.label, [1, np.nan, 0, np.nan])
    (note,) = snapshot.findings
    assert (note.code, note.reason) == ("PI-D064", "2 rows have no label and are not learned from")


@pytest.mark.parametrize(
    ("values", "options", "said"),
    [
        (["1", "1"], {}, r"all 2 labels in 'gone' are one class, 1; the values seen are '1.0' \(PI-D060\)"),
        (["Yes", "No"], {"positive": "yeah"}, r"one class, 0; the values seen are 'No', 'Yes' \(PI-D060\)"),
        (["", ""], {}, r"no row has a label in 'gone' \(PI-D060\)"),
        (["lost", "kept"], {}, r"holds 'lost' \(PI-D062\).*`positive:`; there are 'kept', 'lost'"),
        (["1", "2"], {"bands": (3, 11)}, "one class, 0"),
    ],
)
def test_labels_that_teach_nothing_are_refused(read, values, options, said):
    with pytest.raises(DataError, match=said):
        read(_panel(gone=values, x=[1, 2]), **options)


def test_bands_cut_a_number_into_ordered_classes(read):
    snapshot = read(_panel(gone=[2, 3, 10, 31, ""], x=range(5)), bands=(3, 11, 31))
    np.testing.assert_array_equal(snapshot.label, [2, 3, 10, 31, np.nan])
    np.testing.assert_array_equal(band_of(snapshot.label.to_numpy(), snapshot.bands), [0, 1, 1, 3, np.nan])


@pytest.mark.parametrize("option", ["entity_id", "as_of", "label", "group", "order_by", "post_outcome"])
def test_an_absent_column_names_the_nearest(read, option):
    text = _panel(**{"Größe": [1, 2]})
    with pytest.raises(MissingDataError, match=r"no column 'Grösse' \(PI-D005\).*Did you mean 'Größe'\?"):
        read(text, **{option: "Grösse"})


def test_post_outcome_constant_missing_and_free_text_columns_are_left_out_with_the_reason(read):
    count = 60
    text = _panel(
        later=range(count),
        same=["x"] * count,
        none=[""] * count,
        flag=["no"] * count,
        note=[f"text {i}" for i in range(count)],
        sometimes=["x", ""] * (count // 2),
        good=range(count),
    )
    snapshot = read(text, post_outcome=["later"])
    assert dict(snapshot.dropped) == {
        "later": "declared post_outcome: filled in after the outcome",
        "same": "every row holds 'x'",
        "none": "all values are missing",
        "flag": "every row holds no",
        "note": "60 of 60 values differ: an identifier or free text",
    }
    assert list(snapshot.frame.columns) == ["id", "sometimes", "good"]


def test_no_column_left_is_refused(read):
    with pytest.raises(DataError, match="PI-D063"):
        read(_panel(same=["x", "x"]))


def test_missing_values_of_the_form_are_missing(read):
    snapshot = read(_panel(city=["Select", "Köln"], n=["Select", "7"]), missing_values=["Select"])
    assert snapshot.frame["city"].tolist() == [None, "Köln"]
    np.testing.assert_array_equal(snapshot.frame["n"], [np.nan, 7])


def test_an_entity_twice_at_one_date_is_refused_with_its_rows(read):
    text = "id;day;gone;x\na;2024-01-01;0;1\nb;2024-01-01;1;1\na;01.01.2024;1;2\n"
    with pytest.raises(
        DataError, match=r"id a, day 2024-01-01.* appears more than once, in rows 2 and 4.*PI-D061"
    ):
        read(text, as_of="day")


def test_exact_repetitions_count_once(read):
    snapshot = read("id;gone;x\na;0;1\nb;1;2\na;0;1\n")
    assert (snapshot.rows_in, len(snapshot.frame), snapshot.rows_duplicate) == (3, 2, 1)


def test_bad_rows_are_set_aside_and_the_counts_reconcile(read):
    rows = [[f"e{i}", "2024-01-01", i % 2, i] for i in range(40)]
    rows[3][3], rows[5][1], rows[7][0] = "many", "never", ""
    text = _csv(["id", "day", "gone", "x"], [*rows, ["short"]])
    snapshot = read(text, as_of="day")
    faults = {(f.code, f.row, f.field, f.given) for f in snapshot.findings if f.row}
    assert faults == {
        ("PI-D023", 5, "x", "many"),
        ("PI-D025", 7, "day", "never"),
        ("PI-D022", 9, "id", ""),
        ("PI-D020", 42, "", "short"),
    }
    assert (snapshot.rows_in, snapshot.rows_quarantined, len(snapshot.frame)) == (41, 4, 37)
    assert snapshot.rows_in == len(snapshot.frame) + snapshot.rows_quarantined + snapshot.rows_duplicate


def test_a_mixed_column_is_a_category(read):
    snapshot = read(_panel(x=["1", "2", "small", "1"]))
    assert snapshot.kinds == {"x": "category"}


def test_group_and_order_are_handed_over_and_are_no_features(read):
    snapshot = read(_panel(parent=["A", "B"], number=["7", "3"], x=[1, 2]), group="parent", order_by="number")
    assert snapshot.group.tolist() == ["A", "B"]
    assert snapshot.order.tolist() == [7.0, 3.0]
    assert list(snapshot.frame.columns) == ["id", "x"]


def test_rows_to_be_scored_need_no_label_and_keep_their_order_and_columns(read):
    text = _csv(["id", "x", "same"], [["b", "1", "q"], ["a", "2", "q"]])
    snapshot = read(text, labelled=False, post_outcome=["later"], kinds={"x": "category"})
    assert snapshot.label is None
    assert snapshot.frame.to_numpy().tolist() == [["b", "1", "q"], ["a", "2", "q"]]
    assert snapshot.rows.tolist() == [2, 3]


def test_rows_to_learn_from_come_in_one_order_whatever_the_file(read):
    rows = [["b", "2024-02-01", 0, 1], ["a", "2024-02-01", 1, 2], ["c", "2024-01-01", 1, 3]]
    header = ["id", "day", "gone", "x"]
    one, other = read(_csv(header, rows), as_of="day"), read(_csv(header, rows[::-1]), as_of="day")
    pd.testing.assert_frame_equal(one.frame, other.frame)
    assert one.frame["id"].tolist() == ["c", "a", "b"]
    assert one.label.tolist() == other.label.tolist() == [1, 1, 0]


def test_several_columns_may_identify_an_entity(read):
    text = _csv(["lead", "partner", "gone", "x"], [["l", "p", 0, 1], ["l", "q", 1, 2]])
    assert list(read(text, entity_id=["lead", "partner"]).frame.columns) == ["lead", "partner", "x"]


def test_ambiguous_columns_ask(read):
    with pytest.raises(DataError, match=r"PI-D008.*dates: \[DD/MM/YYYY\]"):
        read(_panel(day=["03/04/2024", "05/06/2024"], x=[1, 2]), as_of="day")
    with pytest.raises(DataError, match=r"PI-D009.*decimal:"):
        read(_panel(x=["1.234", "2"]))
    snapshot = read(
        _panel(day=["03/04/2024", "05/06/2024"], x=["1.234", "2"]),
        as_of="day",
        dates=["DD/MM/YYYY"],
        decimal=",",
    )
    assert snapshot.frame["day"].tolist() == [pd.Timestamp("2024-04-03"), pd.Timestamp("2024-06-05")]
    assert snapshot.frame["x"].tolist() == [1234.0, 2.0]


def test_parquet_types_are_believed(read, tmp_path):
    frame = pd.DataFrame(
        {
            "id": [1, 2**53 + 1],
            "day": [pd.Timestamp("2024-01-01")] * 2,
            "gone": [True, False],
            "x": [1.5, np.nan],
            "code": ["007", "NA"],
        }
    )
    frame.to_parquet(tmp_path / "panel.parquet")
    snapshot = read(None, name="panel.parquet", as_of="day")
    assert snapshot.frame["id"].tolist() == ["1", "9007199254740993"]
    assert snapshot.label.tolist() == [1.0, 0.0]
    assert snapshot.frame["code"].tolist() == ["007", "NA"]


def test_a_type_that_cannot_be_a_date_is_refused(read, tmp_path):
    pd.DataFrame({"id": ["a", "b"], "day": [1.5, 2.5], "gone": [0, 1], "x": [1, 2]}).to_parquet(
        tmp_path / "p.parquet"
    )
    with pytest.raises(DataError, match=r"'day' holds float values and a date is needed \(PI-D011\)"):
        read(None, name="p.parquet", as_of="day")


def test_where_keeps_the_rows_asked_for(read):
    snapshot = read(_panel(x=[1, 2, 3, 4], **{"my group": list("aabb")}), where="\"my group\" = 'b'")
    assert snapshot.frame["x"].tolist() == [3.0, 4.0]
    with pytest.raises(DataError, match=r"snapshots.churn.where: .*fails.*PI-D010"):
        read(_panel(x=[1, 2]), where="nothing = 1")
