"""Importing Feast in a third of the time.

Feast decorates some classes with typeguard's `typechecked`, which parses and rewrites their source each
time a process starts: 2.6 of 3.7 s of CPU. What we hand to Feast is fixed by our own code and tests, so the
decorator is made to do nothing while Feast is imported, and only then.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def import_feast() -> Any:
    """The module `feast`."""
    if "feast" in sys.modules:
        return sys.modules["feast"]
    with _unchecked():
        import feast
    return feast


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
