"""The lake: canonical rows in Parquet, every version kept, each row once, nothing half-written."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data.connectors.source import first_row, literal, quoted, scalar
from data.corrections import UNDATED, date_corrections
from data.errors import DataError
from data.manifest import (
    Part,
    content_version,
    exclusive,
    read_erased,
    read_manifest,
    sync_folder,
    write_manifest,
)
from data.mapping import nearest
from data.rowhash import row_hash_sql
from data.schemas import arrow_schema, to_arrow, to_pandas, validate
from data.tables import TABLES, TableContract

_CHUNK_ROWS = 200_000


@dataclass(frozen=True)
class AppendResult:
    """What became of the rows handed in.

    Attributes:
        rows_new: Written.
        rows_seen: In the lake already.
        rows_duplicate: Repeated within the batch.
        rows_corrected: Of the new ones, those that correct a row held, from the time of ingest on.
    """

    rows_new: int
    rows_seen: int
    rows_duplicate: int = 0
    rows_corrected: int = 0


class Lake:
    """Canonical tables in a folder.

    Args:
        root: Folder, such as `<workspace>/lake`; made on the first append.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def append(self, table: str, frame: Any, *, ingested_at: datetime) -> AppendResult:
        """Add the rows of a frame that are not there yet.

        Args:
            table: Canonical table.
            frame: pandas frame with the contract's columns; optional ones may be absent.
            ingested_at: When, for the manifest.

        Raises:
            DataError: A row breaks the contract; nothing is written.
        """
        contract(table)
        rows = to_arrow(table, frame)
        with self.transaction(ingested_at=ingested_at) as work, connect() as connection:
            connection.register("__frame", rows)
            return work.add(table, connection, "__frame")

    @contextmanager
    def transaction(self, *, ingested_at: datetime) -> Iterator[Transaction]:
        """Write several tables and make them live together; an error leaves the lake as it was."""
        with exclusive(self.root):
            live = read_manifest(self.root)
            self._sweep(live)
            work = Transaction(self.root, live, ingested_at)
            try:
                yield work
                if work.added or work.replaced:
                    write_manifest(self.root, work.manifest())
                if work.replaced:
                    self._sweep(read_manifest(self.root))
            except BaseException:
                self._sweep(read_manifest(self.root))
                raise

    def paths(self, table: str) -> list[Path]:
        """Parquet files of the live partitions; [] when there are none."""
        contract(table)
        return [self.root / part.file for part in read_manifest(self.root).get(table, ())]

    def has(self, table: str) -> bool:
        """Whether the table holds rows."""
        return bool(self.paths(table))

    def tables(self) -> tuple[str, ...]:
        """Names of the tables that hold rows, in the order of the contracts."""
        live = read_manifest(self.root)
        return tuple(name for name in TABLES if live.get(name))

    def rows(self, table: str) -> int:
        """Number of rows, all versions."""
        contract(table)
        return sum(part.rows for part in read_manifest(self.root).get(table, ()))

    def read(self, table: str) -> Any:
        """All versions of all rows as a frame: canonical columns and `row_hash`.

        Sorted by key, known_at and row_hash: the same rows give the same frame, whatever the batches.
        Text is object, whole numbers Int64, yes/no boolean, times datetime64[us].
        """
        shape = contract(table)
        files = self.paths(table)
        schema = arrow_schema(shape).append(pa.field("row_hash", pa.string()))
        if not files:
            return to_pandas(schema.empty_table())
        with connect() as connection:
            listed = ", ".join(quoted(n) for n in schema.names)
            query = f"SELECT {listed} FROM {scan_sql(files, shape)} ORDER BY {_order(shape)}"
            return to_pandas(connection.sql(query).to_arrow_table().cast(schema))

    def version(self) -> str:
        """Hash of the content: the same for the same rows, in whatever batches and whenever they came."""
        return content_version(read_manifest(self.root))

    def _sweep(self, live: dict[str, tuple[Part, ...]]) -> None:
        """Remove what an interrupted writer left behind; only called under the lock."""
        known = {part.file for parts in live.values() for part in parts}
        for table in TABLES:
            for file in (self.root / table).glob("*part-*"):
                if f"{table}/{file.name}" not in known:
                    file.unlink()


class Transaction:
    """Parts written but not live yet; made by `Lake.transaction`."""

    def __init__(self, root: Path, live: dict[str, tuple[Part, ...]], ingested_at: datetime) -> None:
        self._root, self._live, self._ingested_at = root, live, ingested_at
        self._erased = read_erased(root)
        self.added: dict[str, tuple[Part, ...]] = {}
        self.replaced: set[str] = set()

    def paths(self, table: str) -> list[Path]:
        """Files of the table, those of this transaction included."""
        return [self._root / part.file for part in (*self._kept(table), *self.added.get(table, ()))]

    def manifest(self) -> dict[str, tuple[Part, ...]]:
        """The manifest as it will be."""
        return {
            table: (*self._kept(table), *self.added.get(table, ())) for table in {*self._live, *self.added}
        }

    def erased(self, table: str) -> frozenset[str]:
        """Keys of the rows of which nothing personal may be kept."""
        return self._erased.get(table, frozenset())

    def rewrite(self, table: str, connection: Any, *, erased: Collection[str]) -> None:
        """Write a table anew without what names the persons of these keys; the old files go.

        Versions that differed in nothing but the name become one.

        Args:
            table: Canonical table.
            connection: DuckDB connection.
            erased: Keys to forget beyond those forgotten before.
        """
        shape = contract(table)
        self._erased = {**self._erased, table: self.erased(table) | frozenset(erased)}
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE __rewritten AS SELECT DISTINCT ON (row_hash) * "
            f"FROM {self._hashed(shape, scan_sql(self.paths(table), shape))}"
        )
        self.replaced.add(table)
        self._write(
            shape, connection, "__rewritten", rows=int(scalar(connection, "SELECT count(*) FROM __rewritten"))
        )
        connection.execute("DROP TABLE __rewritten")

    def _kept(self, table: str) -> tuple[Part, ...]:
        return () if table in self.replaced else self._live.get(table, ())

    def _hashed(self, shape: TableContract, relation: str) -> str:
        """SQL of the relation with defaults filled in, erased fields empty, and the hash of each row."""
        columns = ", ".join(_filled(name, shape, self.erased(shape.name)) for name in shape.names)
        given = f"SELECT {columns}, known_at IS NULL AS {UNDATED} FROM {relation}"
        return f"(SELECT *, {row_hash_sql(shape)} AS row_hash FROM ({given}))"

    def add(self, table: str, connection: Any, relation: str) -> AppendResult:
        """Write the rows of a DuckDB relation that are not there yet.

        Args:
            table: Canonical table.
            connection: DuckDB connection that knows the relation.
            relation: Name of a relation with the contract's columns and types.
        """
        shape = contract(table)
        fresh, held = "__fresh", scan_sql(self.paths(table), shape)
        hashed = self._hashed(shape, quoted(relation))
        connection.execute(f"CREATE OR REPLACE TEMP TABLE __hashed AS FROM {hashed}")
        rows, distinct = first_row(connection, "SELECT count(*), count(DISTINCT row_hash) FROM __hashed")
        unseen = f"WHERE row_hash NOT IN (SELECT row_hash FROM {held})" if self.paths(table) else ""
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {fresh} AS SELECT DISTINCT ON (row_hash) * FROM __hashed {unseen}"
        )
        corrected = 0
        if unseen:
            corrected = date_corrections(connection, shape, fresh=fresh, held=held, at=self._ingested_at)
        connection.execute("DROP TABLE __hashed")
        new = int(scalar(connection, f"SELECT count(*) FROM {fresh}"))
        if new:
            self._write(shape, connection, fresh, rows=new)
        connection.execute(f"DROP TABLE {fresh}")
        return AppendResult(new, distinct - new, rows - distinct, corrected)

    def _write(self, shape: TableContract, connection: Any, relation: str, *, rows: int) -> None:
        halves = [
            f"sum(CAST('0x' || row_hash[{i}:{i + 15}] AS UBIGINT)) % 18446744073709551616" for i in (1, 17)
        ]
        digest = "".join(
            f"{int(half):016x}"
            for half in first_row(connection, f"SELECT {', '.join(halves)} FROM {relation}")
        )
        folder = self._root / shape.name
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"part-{digest[:16]}-{rows}.parquet"
        temporary = folder / f".{file.name}.tmp"
        schema = arrow_schema(shape).append(pa.field("row_hash", pa.string()))
        query = f"SELECT * EXCLUDE ({UNDATED}) FROM {relation} ORDER BY {_order(shape)}"
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            for batch in connection.sql(query).to_arrow_reader(_CHUNK_ROWS):
                chunk = pa.Table.from_batches([batch]).cast(schema)
                validate(shape.name, chunk.drop_columns(["row_hash"]))
                writer.write_table(chunk)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(file)
        sync_folder(folder)
        part = Part(f"{shape.name}/{file.name}", rows, digest, _instant(self._ingested_at))
        self.added[shape.name] = (*self.added.get(shape.name, ()), part)


@contextmanager
def connect(spill: Path | None = None) -> Iterator[Any]:
    """A DuckDB connection in memory that thinks in UTC.

    Args:
        spill: Folder for what does not fit into memory; None: DuckDB's own choice.
    """
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET TimeZone='UTC'")
        # DuckDB draws a bar on standard output when a query takes long, even into a pipe.
        connection.execute("SET enable_progress_bar=false")
        if spill is not None:
            connection.execute(f"SET temp_directory={literal(str(spill))}")
        yield connection


def contract(table: str) -> TableContract:
    """The contract of a table.

    Raises:
        DataError: No such table; the nearest name is suggested.
    """
    if table not in TABLES:
        near = nearest(table, TABLES)
        raise DataError(
            f"There is no table {table!r}.",
            allowed=", ".join(TABLES),
            next_step=f"Did you mean {near!r}?" if near else "",
        )
    return TABLES[table]


def scan_sql(files: list[Path], shape: TableContract) -> str:
    """SQL that scans parts; columns a contract has gained since a part was written are NULL."""
    listed = ", ".join(literal(str(f)) for f in files)
    empty = ", ".join(f"CAST(NULL AS {_sql_type(shape, n)}) AS {quoted(n)}" for n in shape.names)
    return (
        f"(SELECT {empty}, NULL::VARCHAR AS row_hash WHERE false UNION ALL BY NAME "
        f"FROM read_parquet([{listed}], union_by_name=true))"
    )


def _sql_type(shape: TableContract, name: str) -> str:
    from data.convert import SQL_TYPES

    return SQL_TYPES[shape.column(name).type]


def _filled(name: str, shape: TableContract, erased: Collection[str]) -> str:
    if shape.column(name).personal and erased:
        keys = ", ".join(literal(key) for key in sorted(erased))
        return f"CASE WHEN {quoted(shape.key[0])} NOT IN ({keys}) THEN {quoted(name)} END AS {quoted(name)}"
    if name != "known_at":
        return quoted(name)
    known = "event_at" if shape.dated else "TIMESTAMP '1970-01-01'"
    return f"coalesce(known_at, {known}) AS known_at"


def _order(shape: TableContract) -> str:
    return ", ".join([*(quoted(k) for k in shape.key), "known_at", "row_hash"])


def _instant(moment: datetime) -> str:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
