"""Workbooks that cost more than they say (case B5)."""

from __future__ import annotations

import contextlib
import io
import os
import re
import resource
import struct
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from data.errors import DataError
from tests.unit.spreadsheet.books import CONTENT_TYPES, MAIN, parts, text_row, workbook, zipped

SECONDS = 2.0
MEGABYTES = 50.0
Reader = Callable[[bytes, str], object]


@dataclass(frozen=True)
class Bomb:
    """A hostile file and why it must be refused (a pattern)."""

    title: str
    name: str
    content: bytes
    refused: str


@dataclass(frozen=True)
class Cost:
    """What refusing a file cost: wall seconds, growth of this process's peak memory, and what went wrong."""

    seconds: float
    megabytes: float
    wrong: str


def measured(bomb: Bomb, read: Reader) -> Cost:
    """Read the file and see what it costs.

    The quickest of three tries counts, and where more programs want to run than there are processors the
    limit grows with the queue: what is judged is the reader and not the machine.
    """
    limit = SECONDS * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    costs = []
    for _ in range(3):
        costs.append(_once(bomb, read))
        if costs[-1].wrong or costs[-1].seconds <= limit:
            break
    best = min(costs, key=lambda c: c.seconds)
    if best.wrong:
        return best
    late = f"took {best.seconds:.1f} s" if best.seconds > limit else ""
    fat = f"took {best.megabytes:.0f} MB" if best.megabytes > MEGABYTES else ""
    return Cost(best.seconds, best.megabytes, late or fat)


def _once(bomb: Bomb, read: Reader) -> Cost:
    before, started = _fresh_peak(), time.monotonic()
    try:
        read(bomb.content, bomb.name)
        wrong = "was read"
    except DataError as error:
        wrong = "" if re.search(bomb.refused, str(error)) else f"refused for another reason: {error}"
    return Cost(time.monotonic() - started, _peak() - before, wrong)


def _fresh_peak() -> float:
    """Peak memory in MB, counted from now where the system allows."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> float:
    try:
        status = Path("/proc/self/status").read_text()
        return float(re.search(r"VmHWM:\s+(\d+)", status).group(1)) / 1024  # type: ignore[union-attr]
    except (OSError, AttributeError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def bombs() -> Iterator[Bomb]:
    """All files of the case."""
    head = text_row(1, "Nr", "Firma", "Ort")
    good = parts(head + text_row(2, "1", "A", "B"))

    def book(title: str, refused: str, name: str = "l.xlsx", **changed: str | bytes) -> Bomb:
        renamed = {_PARTS.get(k, k): v for k, v in changed.items()}
        return Bomb(title, name, zipped({**good, **renamed}), refused)

    yield book(
        "a sheet of 100 MB of blanks", "unpacked it would be", sheet=good[_PARTS["sheet"]] + " " * (100 << 20)
    )
    yield book(
        "2.5 MB of blanks in 20 kB", "unpacked it would be", sheet=good[_PARTS["sheet"]] + " " * (5 << 19)
    )
    yield book("100 MB of shared texts", "unpacked it would be", shared=_texts("x" * 1000, 100_000))
    yield book(
        "a million cells", "unpacked it would be", sheet=_sheet(head + '<row r="2">' + "<c/>" * 1_000_000)
    )
    yield Bomb(
        "5,000 entries", "l.xlsx", zipped({**good, **{f"x{n}.xml": "" for n in range(5000)}}), "5\\d+ files"
    )
    yield Bomb(
        "a directory that lies about its length", "l.xlsx", _lying_directory(zipped(good)), "files|damaged"
    )
    yield book("one text of 32 kB in 40,000 cells", "more time or memory|damaged", **_repeated(head))
    yield book("entities within entities", "declares entities", sheet=_laughs())
    yield book("XML in UTF-16", "not UTF-8", sheet=good[_PARTS["sheet"]].encode("utf-16"))
    yield book("a cell at the far corner", "reaches column", sheet=_sheet(head + _CORNER))
    yield book("a stated size of the whole sheet", "no row", sheet=_sheet(head, dimension="A1:XFD1048576"))
    yield book("deep nesting", "more time or memory|damaged|no row", sheet=_sheet(head + "<x>" * 200_000))
    yield book("a zip within", "another archive", **{"xl/media/image1.bin": zipped({"a": "b"})})
    yield book("a workbook within", "another archive", **{"xl/embeddings/a.xlsx": b"x"})
    yield book("macros", "macros", **{"xl/vbaProject.bin": b"x"})
    yield book(
        "macros by type", "macros", types=CONTENT_TYPES.replace("sheet.main+xml", "macroEnabled.main+xml")
    )
    yield book("macros by name", "macros", name="l.xlsm")
    yield book("a path outside", "outside", **{"../evil.xml": "x"})
    yield _without_part(good)
    yield Bomb("encrypted entry", "l.xlsx", _encrypted(zipped(good)), "encrypted|password")
    yield Bomb("password", "l.xlsx", _compound("EncryptedPackage"), "protected by a password")
    yield Bomb("old workbook", "l.xls", _compound("Workbook"), "old .xls")
    yield Bomb("old workbook renamed", "l.xlsx", _compound("Workbook"), "old .xls")
    yield Bomb("binary workbook", "l.xlsb", zipped(good), "binary workbook")
    whole = workbook([("Nr", "Firma"), *((n, f"Firma {n}") for n in range(50))])
    yield from (
        Bomb(f"cut at {p} %", "l.xlsx", whole[: len(whole) * p // 100], "damaged") for p in (10, 50, 99)
    )
    for at in range(0, len(whole), max(len(whole) // 12, 1)):
        flipped = whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]
        yield Bomb(f"byte {at} flipped", "l.xlsx", flipped, ".")


_PARTS = {
    "sheet": "xl/worksheets/sheet1.xml",
    "shared": "xl/sharedStrings.xml",
    "types": "[Content_Types].xml",
}
_CORNER = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'


def _sheet(rows: str, dimension: str = "") -> str:
    stated = f'<dimension ref="{dimension}"/>' if dimension else ""
    return f'<worksheet xmlns="{MAIN}">{stated}<sheetData>{rows}</sheetData></worksheet>'


def _texts(text: str, times: int) -> str:
    return f'<sst xmlns="{MAIN}">' + f"<si><t>{text}</t></si>" * times + "</sst>"


def _repeated(head: str) -> dict[str, str]:
    rows = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(2, 40_002))
    return {"sheet": _sheet(head + rows), "shared": _texts("y" * 32_000, 1)}


def _laughs() -> str:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "ha">{entities}]><worksheet>&l9;</worksheet>'


def _without_part(good: dict[str, str]) -> Bomb:
    rest = {k: v for k, v in good.items() if k != "xl/workbook.xml"}
    return Bomb("not a workbook", "l.xlsx", zipped(rest), "not an .xlsx")


def _lying_directory(content: bytes) -> bytes:
    at = content.rfind(b"PK\x05\x06")
    return content[: at + 8] + struct.pack("<HHI", 65_535, 65_535, 0x7FFFFFFF) + content[at + 16 :]


def _encrypted(content: bytes) -> bytes:
    """The same archive with the encryption flag set on every entry."""
    changed = bytearray(content)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = changed.find(signature)
        while at >= 0:
            changed[at + offset] |= 1
            at = changed.find(signature, at + 4)
    return bytes(changed)


def _compound(stream: str) -> bytes:
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 1024 + stream.encode("utf-16-le") + b"\0" * 4096


def careless(content: bytes, name: str) -> object:
    """A reader without limits: unpacks whatever there is in this process."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [archive.read(info) for info in archive.infolist()]
