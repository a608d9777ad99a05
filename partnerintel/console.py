"""What the terminal shows: progress while it lasts, tables when it is done."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

Tick = Callable[[str, float], None]
"""Called with what is being done and the share done (0–1)."""


@contextmanager
def progress(title: str) -> Iterator[Tick]:
    """A progress bar on standard error; yields the function that moves it."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=not sys.stderr.isatty()) as bar:
        task = bar.add_task(title, total=1.0)

        def tick(what: str, share: float) -> None:
            bar.update(task, description=f"{title}: {what}", completed=share)

        yield tick


def print_json(value: Any) -> None:
    """The value as indented JSON on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def print_table(rows: Sequence[Mapping[str, Any]], *, title: str = "") -> None:
    """Rows of one shape as a table."""
    if not rows:
        print("(none)")
        return
    table = Table(title=title or None)
    for name in rows[0]:
        table.add_column(name)
    for row in rows:
        table.add_row(*("" if v is None else str(v) for v in row.values()))
    Console().print(table)
