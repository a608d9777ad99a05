"""The row hash is what its documentation says, computed here a second time in plain Python."""

import hashlib
from datetime import datetime

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from data.connectors.source import scalar
from data.lake import connect
from data.rowhash import row_hash_sql
from data.schemas import to_arrow
from data.tables import TABLES

EPOCH = datetime(1970, 1, 1)


def _reference(table, row):
    text = ""
    for column in TABLES[table].columns:
        value = row.get(column.name)
        if value is None:
            continue
        if column.type == "number":
            value = "0" if value == 0 else f"{value:.17g}"
        elif column.type == "timestamp":
            value = str((value - EPOCH) // pd.Timedelta(microseconds=1))
        elif column.type == "boolean":
            value = "true" if value else "false"
        text += f"{column.name}={len(str(value).encode())}:{value};"
    return hashlib.md5(text.encode()).hexdigest()


def _hash(table, row):
    with connect() as connection:
        connection.register("t", to_arrow(table, pd.DataFrame([row])))
        return scalar(connection, f"SELECT {row_hash_sql(TABLES[table])} FROM t")


_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@settings(max_examples=40, deadline=None)
@given(
    name=st.none() | _TEXT,
    amount=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    sourced=st.none() | st.booleans(),
    at=st.datetimes(datetime(1900, 1, 1), datetime(2261, 1, 1)),
)
def test_hash_is_the_documented_one(name, amount, sourced, at):
    row = {"deal_id": "d", "partner_id": "p;=1", "status": "won", "product": name, "amount_usd": amount}
    row |= {"sourced": sourced, "event_at": at}
    assert _hash("deals", row) == _reference("deals", row)


def test_hash_is_fixed_for_ever():
    row = {"survey_id": "s1", "partner_id": "Müller", "score": 7.1, "event_at": datetime(2024, 1, 2, 3, 4, 5)}
    assert _hash("surveys", row) == "63e0c7d79d91d25c7006a2511b776f0d"


def test_whole_numbers_and_zero_signs_do_not_matter_but_every_value_does():
    base = {"survey_id": "s1", "partner_id": "p", "score": 0.0, "event_at": datetime(2024, 1, 2)}
    assert _hash("surveys", base) == _hash("surveys", {**base, "score": -0.0})
    others = [{**base, "score": 1.0}, {**base, "partner_id": "q"}, {**base, "known_at": datetime(2024, 1, 3)}]
    assert len({_hash("surveys", row) for row in [base, *others]}) == 4


def test_moving_text_between_columns_changes_the_hash():
    one = {
        "contact_id": "c",
        "partner_id": "p",
        "full_name": "a",
        "email": "b",
        "event_at": datetime(2024, 1, 2),
    }
    assert _hash("contacts", one) != _hash("contacts", {**one, "full_name": "ab", "email": ""})
