"""Importing Feast in a third of the time.

Feast decorates some classes with typeguard's `typechecked`, which parses and rewrites their source each
time a process starts: 2.6 of 3.7 s of CPU. What we hand to Feast is fixed by our own code and tests, so the
decorator is made to do nothing while Feast is imported, and only then.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any


def import_feast() -> Any:
    """The module `feast`."""
    if "feast" in sys.modules:
        return sys.modules["feast"]
    with _unchecked():
        import feast
    return feast


def keep_feasts_times() -> None:
    """Let SQLite write and read times as Feast does.

    Feast sets this for the whole process when it is imported; pandas sets another form as soon as a frame is
    written to or read from a SQLite connection. What the one then writes the other cannot read.
    """
    from feast.infra.online_stores import sqlite as store

    sqlite3.register_adapter(datetime, store.adapt_datetime_epoch)
    for name in ("date", "datetime", "timestamp"):
        sqlite3.register_converter(name, getattr(store, f"convert_{name}"))


@contextmanager
def _unchecked() -> Iterator[None]:
    try:
        import typeguard
    except ImportError:  # Feast may one day do without
        yield
        return
    kept = typeguard.typechecked
    typeguard.typechecked = _as_it_is
    try:
        yield
    finally:
        typeguard.typechecked = kept


def _as_it_is(target: Any = None, **_options: Any) -> Any:
    """As a decorator with or without arguments."""
    return _as_it_is if target is None else target
