"""A table's place: search words, filters, order and page, all in the address, so that links and back work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode

PAGE_ROWS = 50
MAX_TEXT = 200
T = TypeVar("T")


@dataclass(frozen=True)
class Grid:
    """What of a table is shown.

    Attributes:
        base: Path of the page.
        filters: Filter name to value; '' filters nothing.
        sort: Column of the order.
        descending: Whether the greatest come first.
        page: From 1.
        total: Rows after filtering.
        size: Rows of a page.
    """

    base: str
    filters: Mapping[str, str] = field(default_factory=dict)
    sort: str = ""
    descending: bool = False
    page: int = 1
    total: int = 0
    size: int = PAGE_ROWS

    @property
    def pages(self) -> int:
        """Number of pages, at least 1."""
        return max(1, -(-self.total // self.size))

    @property
    def first(self) -> int:
        """Number of the first row shown, from 1."""
        return min((self.page - 1) * self.size + 1, self.total)

    @property
    def last(self) -> int:
        """Number of the last row shown."""
        return min(self.page * self.size, self.total)

    @property
    def offset(self) -> int:
        """Rows before the page."""
        return (self.page - 1) * self.size

    @property
    def filtered(self) -> bool:
        """Whether anything is filtered out."""
        return any(self.filters.values())

    def at(self, page: int) -> str:
        """Address of another page."""
        return self._address(self.sort, self.descending, page)

    def sorted_by(self, column: str) -> str:
        """Address of the table ordered by a column; again: the other way round."""
        return self._address(column, column == self.sort and not self.descending, 1)

    def counted(self, total: int) -> Grid:
        """The same with the number of rows known; a page past the end becomes the last."""
        pages = max(1, -(-total // self.size))
        return Grid(
            self.base, self.filters, self.sort, self.descending, min(self.page, pages), total, self.size
        )

    def _address(self, sort: str, descending: bool, page: int) -> str:
        given = {k: v for k, v in self.filters.items() if v}
        order = {"sort": sort, **({"order": "desc"} if descending else {"order": "asc"})}
        return f"{self.base}?{urlencode({**given, **order, **({'page': page} if page > 1 else {})})}"


def read_grid(
    query: Mapping[str, str],
    *,
    base: str,
    filters: Sequence[str],
    sorts: Mapping[str, bool],
    size: int = PAGE_ROWS,
) -> Grid:
    """The table's place from an address; what is not known there is ignored.

    Args:
        query: Query parameters.
        base: Path of the page.
        filters: Names of filters.
        sorts: Columns that can be sorted by, with whether they begin with the greatest; the first is default.
        size: Rows of a page.
    """
    sort = query.get("sort", "")
    sort = sort if sort in sorts else next(iter(sorts))
    order = query.get("order", "")
    descending = order == "desc" if order in ("asc", "desc") else sorts[sort]
    page = query.get("page", "")
    number = int(page) if page.isascii() and page.isdigit() and len(page) < 8 else 1
    values = {name: query.get(name, "")[:MAX_TEXT].strip() for name in filters}
    return Grid(base, values, sort, descending, max(1, number), size=size)


def arrange(
    rows: Sequence[T], grid: Grid, *, keep: Callable[[T], bool], key: Callable[[T], Any]
) -> tuple[Sequence[T], Grid]:
    """Filter, order and cut rows; missing values come last whichever way round.

    Returns:
        The rows of the page, and the grid with its total.
    """
    kept = [r for r in rows if keep(r)]
    grid = grid.counted(len(kept))
    known = [r for r in kept if key(r) is not None]
    known.sort(key=key, reverse=grid.descending)
    ordered = known + [r for r in kept if key(r) is None]
    return ordered[grid.offset : grid.offset + grid.size], grid
