"""Pandera schemas built from the table contracts, and the Arrow schemas of the files."""

from __future__ import annotations

from functools import cache
from typing import Any

import pyarrow as pa

from data.errors import DataError
from data.tables import TABLES, Column, ColumnType, TableContract

_DTYPES: dict[ColumnType, Any] = {
    "string": object,
    "integer": "Int64",
    "number": "float64",
    "boolean": "boolean",
    "timestamp": "datetime64[us]",
}
_ARROW: dict[ColumnType, pa.DataType] = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us"),
}


def arrow_schema(contract: TableContract) -> pa.Schema:
    """Arrow types of the canonical columns, in contract order."""
    return pa.schema([pa.field(c.name, _ARROW[c.type]) for c in contract.columns])


@cache
def pandera_schema(table: str) -> Any:
    """The pandera schema of a canonical table; strict and ordered, no coercion."""
    import pandera.pandas as pandera

    contract = TABLES[table]
    columns = {c.name: _pandera_column(pandera, c) for c in contract.columns}
    return pandera.DataFrameSchema(columns, strict=True, ordered=True, name=table)


def _pandera_column(pandera: Any, column: Column) -> Any:
    checks = []
    if column.type == "string":
        checks.append(pandera.Check(_holds_text, name="is text"))
    if column.type == "number":
        checks.append(pandera.Check(lambda s: s.abs() != float("inf"), name="is finite"))
    if column.allowed:
        checks.append(pandera.Check.isin(column.allowed))
    if column.low is not None:
        checks.append(pandera.Check.ge(column.low))
    if column.high is not None:
        checks.append(pandera.Check.le(column.high))
    return pandera.Column(_DTYPES[column.type], checks=checks, nullable=not column.required)


def _holds_text(series: Any) -> bool:
    from pandas.api.types import infer_dtype

    return infer_dtype(series, skipna=True) in ("string", "empty")


def to_pandas(table: pa.Table) -> Any:
    """Arrow to pandas without silent changes: whole numbers stay whole, text is object, times naive UTC."""
    import pandas as pd

    types = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    return table.to_pandas(types_mapper=types.get)


def validate(table: str, chunk: pa.Table) -> None:
    """Validate canonical rows with pandera.

    Raises:
        DataError: With the column, the rule and the first value that breaks it.
    """
    from pandera.errors import SchemaErrors

    try:
        pandera_schema(table).validate(to_pandas(chunk), lazy=True)
    except SchemaErrors as error:
        case = error.failure_cases.iloc[0]
        raise DataError(
            f"{table}.{case['column']} breaks the contract ({case['check']}): {case['failure_case']!r}.",
            next_step="Ingest through a mapping, which quarantines such rows, or correct the value.",
            pointer=f"{table}.{case['column']}",
        ) from None


def to_arrow(table: str, frame: Any) -> pa.Table:
    """A pandas frame as canonical Arrow columns; missing optional columns become NULL.

    Args:
        table: Canonical table.
        frame: Columns of the contract, in any order; timestamps with a zone are converted to UTC.

    Raises:
        DataError: Unknown or missing columns, or values that do not fit the column's type.
    """
    contract = TABLES[table]
    unknown = [c for c in frame.columns if c not in contract.names]
    if unknown:
        raise DataError(
            f"{table} has no column {unknown[0]!r}.", allowed=", ".join(contract.names), pointer=table
        )
    arrays = []
    for column in contract.columns:
        if column.name not in frame.columns:
            if column.required:
                raise DataError(f"{table} lacks the column {column.name}, which is required.", pointer=table)
            arrays.append(pa.nulls(len(frame), _ARROW[column.type]))
        else:
            arrays.append(_array(table, column, frame[column.name]))
    return pa.table(arrays, schema=arrow_schema(contract))


def _array(table: str, column: Column, series: Any) -> pa.Array:
    import pandas as pd

    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(series.cat.categories.dtype)
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    try:
        array = pa.array(series, from_pandas=True)
        if pa.types.is_null(array.type):
            return pa.nulls(len(series), _ARROW[column.type])
        text = pa.types.is_string(array.type) or pa.types.is_large_string(array.type)
        if text != (column.type == "string"):
            raise TypeError(f"it holds {array.type} values")
        # Nanoseconds below a microsecond are noise of the source and are cut off.
        return array.cast(_ARROW[column.type], safe=column.type != "timestamp")
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, TypeError, ValueError) as error:
        raise DataError(
            f"{table}.{column.name} cannot become a {column.type}: {error}.", pointer=f"{table}.{column.name}"
        ) from error
