"""Workbooks written for the tests: good, odd and hostile, part by part."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from xml.sax.saxutils import escape

CONTENT_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Override PartName="/xl/workbook.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    '<Override PartName="/xl/worksheets/sheet1.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
    '<Override PartName="/xl/sharedStrings.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>'
)
_RELS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def parts(rows: str, shared: Sequence[str] = ()) -> dict[str, str]:
    """The parts of a workbook of one sheet whose rows are given as XML."""
    texts = "".join(f'<si><t xml:space="preserve">{escape(t)}</t></si>' for t in shared)
    return {
        "[Content_Types].xml": CONTENT_TYPES,
        "_rels/.rels": f'<Relationships xmlns="{_RELS}"><Relationship Id="rId1" '
        f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{_OFFICE}"><sheets>'
        '<sheet name="Tabelle1" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_RELS}">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="rId2" Type="{_OFFICE}/sharedStrings" Target="sharedStrings.xml"/>'
        "</Relationships>",
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>',
        "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{texts}</sst>',
    }


def zipped(members: Mapping[str, str | bytes]) -> bytes:
    """Members as a zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def text_row(number: int, *texts: str) -> str:
    """A row of inline texts."""
    cells = "".join(
        f'<c r="{chr(65 + i)}{number}" t="inlineStr"><is><t xml:space="preserve">{escape(t)}</t></is></c>'
        for i, t in enumerate(texts)
    )
    return f'<row r="{number}">{cells}</row>'


def workbook(
    rows: Sequence[Sequence[Any]],
    *,
    formats: Mapping[str, str] | None = None,
    merged: Sequence[str] = (),
    **sheets: Any,
) -> bytes:
    """A workbook as a spreadsheet program would save it; further sheets by name."""
    from openpyxl import Workbook

    book = Workbook()
    page = book.active
    page.title = "Tabelle1"
    for row in rows:
        page.append(row)
    for where, shown in (formats or {}).items():
        page[where].number_format = shown
    for area in merged:
        page.merge_cells(area)
    for name, others in sheets.items():
        second = book.create_sheet(name)
        for row in others:
            second.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def sheet_uploads() -> Iterator[dict[str, Any]]:
    """Workbooks of case B4 as keyword arguments of an Upload."""
    yield _cells("texts stay", [("00123", "NA", "None"), ("9007199254740993", "1,5", "01.02.2024")])
    yield _cells(
        "whole numbers",
        [(1, 1.0, -5), (2**49 + 1, 10**14, 0)],
        [("1", "1", "-5"), (str(2**49 + 1), str(10**14), "0")],
    )
    yield _cells("fractions", [(0.1 + 0.2, 1e-7, 1234.5)], [("0.3", "0.0000001", "1234.5")])
    days = (date(2024, 2, 1), datetime(2024, 2, 1, 13, 30), time(8, 15))
    yield _cells("dates", [days], [("2024-02-01", "2024-02-01 13:30:00", "08:15:00")])
    yield _cells("duration and truth", [(timedelta(hours=30), True, False)], [("30:00:00", "TRUE", "FALSE")])
    yield _cells("shown zeros", [(123, 7, 5)], [("00123", "7", "5")], formats={"A2": "00000"})
    yield _cells(
        "gaps",
        [("a", None, "c"), (None, None, None), (None, "b")],
        [("a", "", "c"), ("", "b", "")],
        lines=(2, 4),
    )
    yield _cells("line break", [("a\nb", " x ", "y")], [("a\nb", " x ", "y")])
    yield _cells("beyond the header", [("a", "b", "c", "d"), ("e", "f", "g")], [("e", "f", "g")], faults=(2,))
    yield _cells(
        "formula without value", [("a", "=1+1", "c"), ("e", "f", "g")], [("e", "f", "g")], faults=(2,)
    )
    yield _cells("error value", [("a", "#N/A", "c"), ("e", "f", "g")], [("e", "f", "g")], faults=(2,))
    more = _cells("second sheet", [("a", "b", "c")], [("a", "b", "c")], noted="not read: Notizen")
    more["content"] = workbook([_HEAD, ("a", "b", "c")], Notizen=[("x",)])
    yield more
    yield _cells(
        "merged cells",
        [("a", "b", "c"), ("d", None, "f")],
        [("a", "b", "c"), ("d", "", "f")],
        merged=("B2:B3",),
        noted="^1 area of merged cells, such as B2:B3",
    )
    yield from _raw()


_HEAD = ("Nr", "Firma", "Ort")


def _cells(title: str, rows: list[Any], expected: list[Any] | None = None, **more: Any) -> dict[str, Any]:
    formats, merged = more.pop("formats", None), more.pop("merged", ())
    content = workbook([_HEAD, *rows], formats=formats, merged=merged)
    return {"title": f"xlsx {title}", "name": "l.xlsx", "content": content, "columns": _HEAD,
            "rows": tuple(expected if expected is not None else rows), **more}  # fmt: skip


def _raw() -> Iterator[dict[str, Any]]:
    head = text_row(1, *_HEAD)

    def made(title: str, xml: str, shared: Sequence[str] = (), **more: Any) -> dict[str, Any]:
        given = {"columns": _HEAD, "rows": (), **more}
        return {"title": f"xlsx {title}", "name": "l.xlsx", "content": zipped(parts(xml, shared)), **given}

    shared = ["Nr", "Firma", "Ort", "x005F_ y", "_x005F_x0041_", "_x0041_"]
    row = "".join(f'<c r="{c}{{0}}" t="s"><v>{{{i}}}</v></c>' for i, c in enumerate("ABC", 1))
    rows = f'<row r="1">{row.format(1, 0, 1, 2)}</row><row r="2">{row.format(2, 3, 4, 5)}</row>'
    yield made("escapes in shared texts", rows, shared, rows=(("x005F_ y", "_x0041_", "A"),))
    yield made("far row", head + text_row(900_000, "a", "b", "c"), rows=(("a", "b", "c"),), lines=(900_000,))
    number = "".join(
        f'<c r="{where}"><v>{stored}</v></c>'
        for where, stored in (("A2", "18014398509481985"), ("B2", "1.5E3"), ("C2", "007"))
    )
    yield made(
        "stored numbers", head + f'<row r="2">{number}</row>', rows=(("18014398509481985", "1500", "7"),)
    )
    yield made("rows out of order", head + text_row(3, "a") + text_row(2, "b"), refused="comes after")
    twice = '<row r="2"><c r="B2"><v>1</v></c><c r="A2"><v>2</v></c></row>'
    yield made("cells out of order", head + twice, refused="out of order")
    yield made("nothing", "", refused="empty")
    yield made("header only", head, refused="no row")
    yield made("cut off", "<row r='1'>", refused="damaged|empty")
