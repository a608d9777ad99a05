"""Split the columns of a pair (resident, request) so that the resident part is worked out beforehand.

Scoring one lead against all partners repeats the partners' part of every tree for every lead. The leaves that
a partner's own splits leave alive do not depend on the lead: they are kept as one bit mask for each tree and
partner until features refresh.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.engine.inputs import as_matrix, as_row, as_rows
from models.engine.layout import Integers, Reals, integers


@dataclass(frozen=True)
class ColumnSplit:
    """Which model columns are resident (partners), which come with a request (lead), and which with a pair.

    Together they name every column of the model once; matrices handed in hold them in the order given here.
    """

    resident: tuple[int, ...]
    request: tuple[int, ...]
    pair: tuple[int, ...] = ()

    def check(self, features: int) -> None:
        """Raise ValueError unless every column of the model is named exactly once."""
        if sorted([*self.resident, *self.request, *self.pair]) != list(range(features)):
            raise ValueError(
                f"The split names columns {sorted([*self.resident, *self.request, *self.pair])}; "
                f"allowed: each of 0..{features - 1} once."
            )


@dataclass(frozen=True)
class PreparedBlock:
    """Resident rows made ready by one engine, for that engine; `state` is its own business.

    Replace it as a whole when features refresh: it never changes, so requests under way are not disturbed.
    """

    split: ColumnSplit
    matrix: Reals
    owner: object
    state: Any

    @property
    def rows(self) -> int:
        """Number of resident rows."""
        return len(self.matrix)


@dataclass(frozen=True)
class Request:
    """One request's checked input: a row of request values, pair values, and the resident rows it names."""

    values: Reals
    pair: Reals
    rows: Integers
    count: int


def check_request(prepared: PreparedBlock, values: Any, pair: Any, *, rows: Any, owner: object) -> Request:
    """Check a request against its prepared block.

    Args:
        prepared: What `prepare` of the same engine returned.
        values: One value for each request column.
        pair: (n, pair columns), a row for each resident row scored; None when there are no pair columns.
        rows: Positions of the n resident rows to score; None scores all in order.
        owner: The engine.

    Raises:
        ValueError: Shapes or positions do not fit, or another engine prepared the block.
    """
    if prepared.owner is not owner:
        raise ValueError("The block was prepared by another engine; call this engine's prepare() first.")
    chosen = integers([]) if rows is None else as_rows(rows, count=prepared.rows)
    count = prepared.rows if rows is None else len(chosen)
    given = np.empty((count, 0)) if pair is None else pair
    checked = as_matrix(given, columns=len(prepared.split.pair), name="the pair matrix")
    if len(checked) != count:
        raise ValueError(
            f"The pair matrix has {len(checked)} rows; allowed: {count}, one for each row scored."
        )
    return Request(as_row(values, columns=len(prepared.split.request)), checked, chosen, count)


def assemble(prepared: PreparedBlock, request: Request, *, rows: Any) -> Reals:
    """The full model matrix of a request, for explaining its best rows or for an engine without masks."""
    split = prepared.split
    full = np.empty((request.count, len(split.resident) + len(split.request) + len(split.pair)))
    full[:, list(split.resident)] = prepared.matrix if rows is None else prepared.matrix[request.rows]
    full[:, list(split.request)] = request.values
    full[:, list(split.pair)] = request.pair
    return full
