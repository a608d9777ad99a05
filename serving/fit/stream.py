"""Scores of a long list with reasons, chunk by chunk: memory does not grow with the number of rows.

For files whose columns bear the model's names. Scores are bit-equal to the bundle's own, since the compiled
engine is; reasons come from its tables, which makes a million rows a matter of minutes instead of hours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import DataError, InputError
from models.calibration import LINKS
from models.engine import compile_engine
from models.experience import OUTSIDE
from models.scoring import Bundle
from models.spread import Z80

CHUNK_BYTES = 1 << 20
"""Arrow reads up to 32 blocks ahead of us: with blocks of 8 MB that was a quarter of a gigabyte."""
CHUNK_ROWS = 20_000
REASONS = 5
Progress = Callable[[int, float], None]


@dataclass(frozen=True)
class Chunk:
    """Answers for some rows.

    Attributes:
        eta: Calibrated log-odds, (n,).
        low: Lower end of the 80 % interval of the probability.
        high: Upper end.
        factors: Number of the factor of each reason, best first: (n, 2·REASONS), for, then against; -1: none.
        contributions: Their parts of eta, NaN where there is none.
    """

    eta: Any
    low: Any
    high: Any
    factors: Any
    contributions: Any


class FastScorer:
    """A bundle behind the compiled engine.

    Args:
        bundle: A plain yes/no model.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle, self.horizon = bundle, int(max(bundle.horizons))
        self.spec, self._spans = bundle.spec, bundle.encoder.spans
        boosted = bundle.terms.boosted
        self._engine: Any = None
        if boosted is not None and not boosted.timed:
            self._engine = compile_engine(boosted.booster.model_to_string(), booster=boosted.booster)
        elif boosted is not None:
            raise InputError("A model of hazards is not scored in a stream.")
        self.factors = (*bundle.spec.factors, *((OUTSIDE.name,) if bundle.experience else ()))
        owner = {f.name: bundle.spec.factors.index(f.shown_factor) for f in bundle.spec.features}
        self._groups = np.array([owner[c.feature] for c in bundle.encoder.encoded], dtype=np.int64)
        self._pick = np.zeros((len(self._groups), len(bundle.spec.factors)))
        self._pick[np.arange(len(self._groups)), self._groups] = 1.0
        from models.spread import group_index

        self._component = group_index(bundle.encoder)

    def encode(self, table: Any) -> Any:
        """The matrix of an Arrow table, equal to `bundle.encode` of the same rows."""
        encoder = self.bundle.encoder
        out = np.zeros((table.num_rows, len(encoder.encoded)))
        for feature in self.spec.features:
            span = self._spans[feature.name]
            column = table.column(feature.name) if feature.name in table.column_names else None
            if feature.kind == "category":
                _one_hot(out, span, [encoder.encoded[i] for i in span], column)
            elif column is None:
                out[:, span[0]] = np.nan
            else:
                values = column.to_numpy()
                out[:, span[0]] = np.where(np.isfinite(values), values, np.nan)
        return out

    def score(self, matrix: Any) -> Chunk:
        """Scores, intervals and the strongest reasons of encoded rows."""
        bundle, terms = self.bundle, self.bundle.terms
        by_factor = np.zeros((len(matrix), len(self.spec.factors)))
        plain = np.full(len(matrix), terms.intercept)
        if terms.prior:
            plain = plain + terms.prior.eta(matrix)
            by_factor += terms.prior.contributions(matrix) @ self._pick
        if terms.linear:
            parts = terms.linear.contributions(matrix)
            plain = plain + parts.sum(axis=1)
            by_factor += parts @ self._pick
        if terms.boosted and self._engine is not None:
            filled = bundle.encoder.filled(matrix)
            plain = plain + terms.boosted.weight * self._engine.raw(filled)
            grouped = self._engine.grouped(filled, self._groups)
            by_factor += terms.boosted.weight * grouped[:, : by_factor.shape[1]]
        eta = bundle.calibrator(plain + bundle.horizons[self.horizon])
        by_factor *= bundle.calibrator.b
        sd = self._deviation(plain, matrix)
        if bundle.experience is not None:
            moved = bundle.experience.shift(matrix, eta, terms.prior)
            eta, sd = eta + moved, np.hypot(sd, 0.5 * np.abs(moved))
            by_factor = np.column_stack([by_factor, moved])
        link = LINKS[bundle.link]
        return Chunk(eta, link(eta - Z80 * sd), link(eta + Z80 * sd), *_strongest(by_factor))

    def _deviation(self, plain: Any, matrix: Any) -> Any:
        missing = self.bundle.encoder.missing(matrix)
        slope = self.bundle.calibrator.b
        return self.bundle.spread.calibrated_sd(plain, missing, self._component, slope=slope)


def score_stream(
    bundle: Bundle, source: Path, output: Path, *, id_column: str, progress: Progress | None = None
) -> int:
    """Score a CSV file into a Parquet file.

    Args:
        bundle: A plain yes/no model.
        source: CSV (UTF-8, comma) whose columns bear the model's names.
        output: Parquet file to write.
        id_column: Identifier, carried along.
        progress: Called with (rows done, share of the file read).

    Returns:
        Rows written.

    Raises:
        DataError: The file cannot be read as such, or lacks the identifier.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    scorer = FastScorer(bundle)
    size, done, writer = source.stat().st_size, 0, None
    try:
        for table, read in _chunks(scorer, source, id_column):
            result = _result(scorer, table.column(id_column), scorer.score(scorer.encode(table)))
            writer = writer or pq.ParquetWriter(output, result.schema, compression="lz4")
            writer.write_table(result)
            done += table.num_rows
            if progress:
                progress(done, min(read / max(size, 1), 1.0))
    except (pa.ArrowInvalid, pa.ArrowKeyError, UnicodeDecodeError) as error:
        raise DataError(
            f"{source.name} cannot be read in a stream: {error}",
            allowed="UTF-8, comma-separated, numbers with a decimal point",
            next_step="`partnerintel fit-list` reads what people write by hand.",
        ) from error
    finally:
        if writer is not None:
            writer.close()
    return done


def _chunks(scorer: FastScorer, source: Path, id_column: str) -> Iterator[tuple[Any, int]]:
    """(table of some rows, bytes read so far)."""
    import pyarrow as pa
    from pyarrow import csv

    types = {f.name: pa.string() if f.kind == "category" else pa.float64() for f in scorer.spec.features}
    types[id_column] = pa.string()
    with source.open("rb") as header:
        names = header.readline().decode("utf-8-sig").strip().replace('"', "").split(",")
    if id_column not in names:
        raise DataError(f"{source.name} has no column {id_column!r}.", allowed=", ".join(names[:8]) + ", …")
    wanted = [n for n in names if n in types]
    reader = csv.open_csv(
        str(source),
        read_options=csv.ReadOptions(use_threads=False, block_size=CHUNK_BYTES),
        convert_options=csv.ConvertOptions(
            column_types={n: types[n] for n in wanted}, include_columns=wanted, strings_can_be_null=True
        ),
    )
    read, waiting = 0, []
    for batch in reader:
        read += CHUNK_BYTES
        waiting.append(batch)
        while sum(b.num_rows for b in waiting) >= CHUNK_ROWS:
            table = pa.Table.from_batches(waiting)
            yield table.slice(0, CHUNK_ROWS), read
            waiting = table.slice(CHUNK_ROWS).to_batches()
    if waiting:
        yield pa.Table.from_batches(waiting), read


def _one_hot(out: Any, span: list[int], columns: list[Any], column: Any) -> None:
    """Fill the columns of a category; each distinct value of the chunk is looked up once."""
    by_role = {c.role: i for i, c in zip(span, columns, strict=True) if c.role != "level"}
    levels = {c.level: i for i, c in zip(span, columns, strict=True) if c.role == "level"}
    missing, other = by_role.get("missing", -1), by_role.get("other", -1)
    if column is None:
        if missing >= 0:
            out[:, missing] = 1.0
        return
    encoded = column.combine_chunks().dictionary_encode()
    place = np.array([levels.get(v, other) for v in encoded.dictionary.to_pylist()] + [missing])
    codes = encoded.indices.fill_null(len(place) - 1).to_numpy(zero_copy_only=False)
    at = place[codes]
    rows = np.flatnonzero(at >= 0)
    out[rows, at[rows]] = 1.0


def _strongest(by_factor: Any) -> tuple[Any, Any]:
    """Numbers and contributions of the five strongest factors for, and against."""
    most = min(REASONS, by_factor.shape[1])
    numbers, values = [], []
    for sign in (-1.0, 1.0):
        signed = sign * by_factor
        found = np.argpartition(signed, most - 1, axis=1)[:, :most]
        part = np.take_along_axis(signed, found, axis=1)
        order = np.argsort(part, axis=1, kind="stable")
        found, part = (np.take_along_axis(x, order, axis=1) for x in (found, part))
        real = part < -1e-9
        numbers.append(np.where(real, found, -1))
        values.append(np.where(real, sign * part, np.nan))
    return np.hstack(numbers), np.hstack(values)


def _result(scorer: FastScorer, ids: Any, chunk: Chunk) -> Any:
    import pyarrow as pa

    chance = LINKS[scorer.bundle.link](chunk.eta)
    columns: dict[str, Any] = {
        "id": ids,
        "fit_score": np.rint(100.0 * chance).astype(np.int8),
        "probability": chance,
        "low": chunk.low,
        "high": chunk.high,
    }
    names = pa.array(scorer.factors)
    most = chunk.factors.shape[1] // 2
    for k in range(chunk.factors.shape[1]):
        label = f"reason_{'for' if k < most else 'against'}_{k % most + 1}"
        codes = chunk.factors[:, k]
        columns[label] = pa.DictionaryArray.from_arrays(
            pa.array(codes.astype(np.int32), mask=codes < 0), names
        )
        columns[f"{label}_part"] = chunk.contributions[:, k].astype(np.float32)
    return pa.table(columns)
