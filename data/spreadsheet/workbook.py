"""XLSX in a process of its own: the file is written down, a limited child reads it, text comes back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from data.errors import DataError
from data.spreadsheet.child import TOO_COSTLY
from data.spreadsheet.table import Limits, TextTable, build_table, refuse

# A last resort: the child ends itself long before.
_PATIENCE_SECONDS = 300
_COMPOUND = b"\xd0\xcf\x11\xe0"
_PACKAGE = "EncryptedPackage".encode("utf-16-le")


def read_workbook(content: bytes, name: str, *, limits: Limits, sheet: str | None = None) -> TextTable:
    """Read one sheet of a workbook.

    Args:
        content: The file.
        name: Its name, for messages.
        limits: Bounds; see `Limits`.
        sheet: Name of the sheet; None takes the first visible one.

    Raises:
        DataError: Too large, encrypted, with macros, damaged, no header or no rows.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "upload.xlsx", Path(folder) / "cells.jsonl"
        source.write_bytes(content)
        _run_child(source, target, name, asdict(limits) | {"sheet": sheet})
        with target.open(encoding="utf-8") as lines:
            head = json.loads(next(lines))
            if "refused" in head:
                raise refuse(name, head["refused"])
            bad: list[tuple[int, int, str]] = []
            notes = _sheet_notes(head)
            rows = list(_rows(lines, bad, notes))
    try:
        return build_table(
            name, rows, limits=limits, bad_cells=bad, pads=True, notes=notes, sheet=head["sheet"]
        )  # fmt: skip
    except DataError as fault:
        if not head["others"]:
            raise
        # The list may well be on another sheet, which somebody who sees the workbook does not think of.
        raise DataError(
            f"{fault.message} That is sheet {head['sheet']!r}; there are also: {', '.join(head['others'])}.",
            allowed=fault.allowed,
            next_step="Put the sheet with the list first.",
            pointer=fault.pointer,
        ) from None


def _sheet_notes(head: dict[str, Any]) -> list[str]:
    others = ", ".join(head["others"])
    return [f"sheet {head['sheet']!r} was read; not read: {others}"] if others else []


def refuse_compound(content: bytes, name: str) -> None:
    """Refuse what old versions and password protection write.

    Raises:
        DataError: It is such a file.
    """
    if content.startswith(_COMPOUND):
        locked = _PACKAGE in content
        reason = "the workbook is protected by a password" if locked else "it is an old .xls file"
        step = "Save it without a password." if locked else "Save it as .xlsx or CSV."
        raise refuse(name, reason, next_step=step)


def _rows(
    lines: Iterator[str], bad: list[tuple[int, int, str]], notes: list[str]
) -> Iterator[tuple[int, list[str]]]:
    """Rows; what else the child tells is added to `bad` and `notes`."""
    for line in lines:
        found = json.loads(line)
        if isinstance(found, dict):
            count = found["merged"]
            areas = f"{count:,} area{'s' if count != 1 else ''} of merged cells"
            notes.append(
                f"{areas}, such as {found['first']}: only the first cell of an area holds its value, "
                "the others were read as empty"
            )
            continue
        row, cells, *faults = found
        bad += [(row, at, reason) for found in faults for at, reason in found]
        yield row, cells


def _run_child(source: Path, target: Path, name: str, limits: dict[str, Any]) -> None:
    command = [
        sys.executable,
        "-P",
        "-m",
        "data.spreadsheet.child",
        str(source),
        str(target),
        json.dumps(limits),
    ]
    # The project itself first: the service may run from a folder that is on no path.
    path = [str(Path(__file__).parents[2]), *(p for p in sys.path if p)]
    environment = {"PYTHONPATH": os.pathsep.join(path), "PYTHONHASHSEED": "0", "TZ": "UTC"}
    try:
        done = subprocess.run(  # noqa: S603 - our own module; the upload is only ever a path
            command,
            env=environment,
            cwd=source.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _overrun(name) from None
    if done.returncode:
        raise _overrun(name)


def _overrun(name: str) -> DataError:
    return refuse(name, TOO_COSTLY, next_step="Save the sheet as CSV, or split it.")
