"""A long table written for people in parts: what is held in memory does not grow with the number of rows."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from itertools import chain
from typing import IO, Any

from data.spreadsheet.export import csv_text, plain_rows, write_workbook

_BLOCK = 1 << 18


def csv_parts(frames: Iterator[Any]) -> Iterator[bytes]:
    """A CSV file piece by piece: what `write_table` makes of the frames put together.

    Args:
        frames: Frames with the same columns; at least one.

    Raises:
        DataError: A cell holds what CSV cannot.
    """
    first = next(frames)
    columns = [str(c) for c in first.columns]
    yield csv_text(plain_rows(first), header=columns).encode("utf-8-sig")
    for frame in frames:
        yield csv_text(plain_rows(frame), header=None).encode()


def write_parts(frames: Iterator[Any], fmt: str, file: IO[bytes]) -> None:
    """A workbook or Parquet file of frames with the same columns.

    Raises:
        DataError: A cell holds what the format cannot.
    """
    first = next(frames)
    if fmt == "parquet":
        _write_parquet(chain([first], frames), file)
        return
    columns = [str(c) for c in first.columns]
    write_workbook(columns, chain.from_iterable(plain_rows(f) for f in chain([first], frames)), file)


def iter_file(write: Callable[[IO[bytes]], None]) -> Iterator[bytes]:
    """The blocks of a temporary file; it is written before this returns, so that a refusal comes first."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the last block was read
    try:
        write(file)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return _blocks(file)


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while block := file.read(_BLOCK):
            yield block


def _write_parquet(frames: Iterator[Any], file: IO[bytes]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    first = next(frames)
    # A text column may be empty in the first part and not in the next: what is no number is text.
    schema = pa.schema([(str(c), _type(first[c].dtype)) for c in first.columns])
    with pq.ParquetWriter(file, schema) as writer:
        for frame in chain([first], frames):
            writer.write_table(pa.Table.from_pandas(frame, schema=schema, preserve_index=False))


def _type(dtype: Any) -> Any:
    import pandas as pd
    import pyarrow as pa

    if pd.api.types.is_integer_dtype(dtype):
        return pa.int64()
    return pa.float64() if pd.api.types.is_float_dtype(dtype) else pa.string()
