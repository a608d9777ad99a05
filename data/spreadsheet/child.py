"""The process that reads a workbook: `python -m data.spreadsheet.child IN OUT LIMITS`.

It limits itself before it looks at the file: address space, processor time, wall clock, size of what it
writes. Whatever a workbook does to it, the parent sees an exit and nothing else.

Writes JSON lines: `{"sheet", "others"}`, then `[row, [cells]]` or `[row, [cells], [[position, reason], …]]`,
and last `{"merged", "first"}` where cells are merged; or one line `{"refused", "line"}`.
"""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from data.spreadsheet.archive import Refused, check_markup, inspect
from data.spreadsheet.celltext import cell_text

BYTES_PER_SECOND = 1 << 20
WALL_PER_CPU = 8
_OUTPUT_BYTES = 16 << 20
TOO_COSTLY = "reading it takes more time or memory than a list of companies needs"


def main(arguments: list[str]) -> int:
    """Read one workbook; 0 also when it is refused."""
    source, target, limits = Path(arguments[0]), Path(arguments[1]), json.loads(arguments[2])
    _limit_memory(limits["memory_bytes"])
    with target.open("w", encoding="utf-8") as out:
        try:
            unpacked = inspect(
                source,
                entries=limits["entries"],
                unpacked_bytes=limits["unpacked_bytes"],
                ratio=limits["ratio"],
            )
            _limit_effort(limits["seconds"] + unpacked / BYTES_PER_SECOND, _OUTPUT_BYTES + 4 * unpacked)
            _read(source, out, limits)
        except Refused as refused:
            _restart(out, {"refused": str(refused)})
        except MemoryError:
            _restart(out, {"refused": TOO_COSTLY})
        except Exception as error:
            if getattr(error, "errno", None) == errno.EFBIG:
                _restart(out, {"refused": TOO_COSTLY})
                return 0
            # openpyxl raises anything from KeyError to expat errors on a damaged file.
            _restart(out, {"refused": f"the workbook is damaged ({type(error).__name__})"})
    return 0


def _restart(out: TextIO, line: dict[str, Any]) -> None:
    out.seek(0)
    out.truncate()
    out.write(json.dumps(line) + "\n")


def _limit_memory(memory_bytes: int) -> None:
    try:
        import resource
    except ImportError:  # not on every system; the checks of the directory remain
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_effort(seconds: float, output_bytes: int) -> None:
    """Bound time and output: one long shared text, named by every cell, would fill the disk."""
    try:
        import resource
        import signal
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_FSIZE, (output_bytes, output_bytes))
    used = resource.getrusage(resource.RUSAGE_SELF)
    whole = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (whole, whole))
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, seconds * WALL_PER_CPU)


def _read(source: Path, out: TextIO, limits: dict[str, Any]) -> None:
    import warnings
    import zipfile

    # openpyxl would import NumPy when it is there: seconds and memory for nothing.
    sys.modules["numpy"] = None  # type: ignore[assignment]
    warnings.simplefilter("ignore")
    with zipfile.ZipFile(source) as archive:
        check_markup(archive)
    from data.spreadsheet.sheetcells import open_workbook, sheet_rows

    book = open_workbook(source)
    sheet, others = _choose(book, limits.get("sheet") or "")
    out.write(json.dumps({"sheet": sheet.title, "others": others}) + "\n")
    merged: list[str] = []
    for row, cells in sheet_rows(book, sheet, rows=limits["rows"], columns=limits["columns"], merged=merged):
        out.write(json.dumps([row, *_texts(cells)]) + "\n")
    if merged:
        out.write(json.dumps({"merged": len(merged), "first": merged[0]}) + "\n")


def _choose(book: Any, wanted: str) -> tuple[Any, list[str]]:
    sheets = [s for s in book.worksheets if hasattr(s, "iter_rows")]
    if not sheets:
        raise Refused("the workbook has no sheet with cells")
    names = [s.title for s in sheets]
    if wanted:
        if wanted not in names:
            raise Refused(f"there is no sheet {wanted!r}; there are {', '.join(names)}")
        chosen = sheets[names.index(wanted)]
    else:
        chosen = next((s for s in sheets if s.sheet_state == "visible"), sheets[0])
    return chosen, [n for n in names if n != chosen.title]


def _texts(cells: list[Any]) -> Iterator[list[Any]]:
    texts: list[str] = []
    bad: list[list[Any]] = []
    for cell in cells:
        while len(texts) < cell.column - 1:
            texts.append("")
        if cell.fault:
            bad.append([cell.column - 1, cell.fault])
        texts.append(cell_text(cell.value, cell.number_format))
    yield texts
    if bad:
        yield bad


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
