"""Lists of prospects in the state database: what was uploaded, what became of each row, what came of it."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, String, Table, Text

from serving.tables import METADATA

LISTS = Table(
    "fit_lists",
    METADATA,
    Column("list_id", String(40), primary_key=True),
    Column("owner", String(200), nullable=False),
    Column("name", String(200), nullable=False),
    # draft: mapping to be confirmed; checking: a job looks at the rows; ready: scored.
    Column("state", String(16), nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("scored_at", String(32)),
    Column("motion", String(200)),
    Column("columns", Text, nullable=False),
    Column("mapping", Text, nullable=False),
    Column("counts", Text, nullable=False),
    Column("notes", Text, nullable=False),
    Column("models", Text, nullable=False),
    Column("options", Text, nullable=False),
    Column("job_id", String(40)),
    # The file as uploaded, until the list is scored; its rows are kept below.
    Column("content", LargeBinary),
    # What checking found, as long.
    Column("checked", LargeBinary),
    Index("fit_lists_by_owner", "owner", "created_at"),
)

ROWS = Table(
    "fit_list_rows",
    METADATA,
    Column("list_id", String(40), primary_key=True),
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("status", String(20), nullable=False),
    Column("rank", Integer),
    Column("prospect_id", String(200), nullable=False),
    Column("company", String(500), nullable=False),
    Column("country", String(10), nullable=False),
    Column("partner_type", String(200), nullable=False),
    Column("motion", String(200), nullable=False),
    Column("fit_score", Integer),
    Column("probability", Float),
    Column("evidence", String(16), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("search", Text, nullable=False),
    Index("fit_list_rows_by_rank", "list_id", "status", "rank"),
    Index("fit_list_rows_by_prospect", "list_id", "prospect_id"),
)

# Apart from the rows, so that searching and sorting a long list reads little.
DETAILS = Table(
    "fit_list_details",
    METADATA,
    Column("list_id", String(40), primary_key=True),
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("detail", Text, nullable=False),
)

OUTCOMES = Table(
    "fit_list_outcomes",
    METADATA,
    Column("list_id", String(40), primary_key=True),
    Column("prospect_id", String(200), primary_key=True),
    Column("succeeded", Integer, nullable=False),
    Column("posted_at", String(32), nullable=False),
    Column("posted_by", String(250), nullable=False),
)
