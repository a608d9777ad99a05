"""Progress on standard error: a bar at a terminal, one plain line for each step in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

Tick = Callable[[str, float], None]
"""Called with what is being done and the share done (0–1)."""


@contextmanager
def progress(title: str, *, stream: TextIO | None = None) -> Iterator[Tick]:
    """Show how far one piece of work is; yields the function that tells.

    Args:
        title: The work, such as `train churn`.
        stream: Where to; None: standard error.
    """
    out = stream or sys.stderr
    with _bar(title, out) if out.isatty() else _lines(title, out) as tick:
        yield tick


@contextmanager
def _bar(title: str, out: TextIO) -> Iterator[Tick]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(file=out), transient=True) as bar:
        task = bar.add_task(title, total=1.0)

        def tick(what: str, share: float) -> None:
            bar.update(task, description=f"{title}: {what}", completed=share)

        yield tick


@contextmanager
def _lines(title: str, out: TextIO) -> Iterator[Tick]:
    """A line when a step begins: title, share done, step, seconds since the start."""
    start, last = time.monotonic(), ""

    def tick(what: str, share: float) -> None:
        nonlocal last
        if what and what != last:
            last = what
            seconds = time.monotonic() - start
            print(f"{title}  {100 * min(share, 1.0):3.0f} %  {seconds:6.1f} s  {what}", file=out, flush=True)

    yield tick
