"""Invented company and person names: unique per number, without a random draw."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def _words(*lines: str) -> list[str]:
    return " ".join(lines).split()


_FIRST = _words(
    "Alder Amber Anchor Apex Arbor Argent Aspen Atlas Aurora Azure Beacon Birch Blue Boreal Bright Canyon",
    "Cedar Cinder Clear Cobalt Copper Coral Crest Delta Ember Evergreen Falcon Fern Flint Forge Garnet",
    "Glacier Granite Harbor Hazel Heron Indigo Iron Ivory Jade Juniper Keystone Lake Laurel Lumen Maple",
    "Meadow Mesa Nimbus North Oak Onyx Orchard Pebble Pine Quartz Raven River Sable Summit",
)
_SECOND = _words(
    "bridge brook crest dale field ford gate grove haven hill house land leaf line mark mere mill moor path",
    "peak point port ridge rock shore side spring stone stream vale view wall ward water way well wick wind",
    "wood works",
)
_KINDS = {
    "partner": _words(
        "Systems Solutions Technologies Consulting Digital Networks Cloud Services Software Integration",
        "Advisory Group Partners Data Automation",
    ),
    "account": _words(
        "Foods Logistics Clinics Motors Textiles Energy Bank Insurance Tools Retail Farms Media Transport",
        "Pharma Hotels",
    ),
}
_LEGAL = ("GmbH", "Ltd", "Inc.", "S.A.", "B.V.", "AB", "S.r.l.", "LLC")
_GIVEN = _words(
    "Ada Alan Chen Dana Elif Femi Grace Hana Ivan Jun Kofi Lena Mara Nils Omar Priya Quinn Rosa Sven Tara"
)
_FAMILY = _words(
    "Abel Berg Costa Diaz Evans Fischer Garcia Haas Ito Jansen Khan Lopez Meyer Novak Okoye Petrov Rossi"
)

_COMBINATIONS = len(_FIRST) * len(_SECOND) * 15
_STEP = 17_333  # prime, so that consecutive numbers get unlike names


def company_names(numbers: Any, *, kind: str) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Names and domains of companies; the domains end in `.example`, reserved for invented ones.

    Args:
        numbers: Distinct integers ≥ 0.
        kind: "partner" or "account".
    """
    numbers = np.asarray(numbers, dtype=np.int64)
    code = (numbers * _STEP) % _COMBINATIONS
    lap = numbers // _COMBINATIONS
    pieces = zip(code.tolist(), lap.tolist(), (numbers % len(_LEGAL)).tolist(), strict=True)
    rows = [_company(c, int(lap_), int(legal), _KINDS[kind]) for c, lap_, legal in pieces]
    names = np.array([name for name, _ in rows], dtype=object)
    return names, np.array([domain for _, domain in rows], dtype=object)


def _company(code: int, lap: int, legal: int, kinds: list[str]) -> tuple[str, str]:
    rest, kind = divmod(code, len(kinds))
    first, second = divmod(rest, len(_SECOND))
    stem = _FIRST[first] + _SECOND[second] + (str(lap + 1) if lap else "")
    return f"{stem} {kinds[kind]} {_LEGAL[legal]}", f"{stem}-{kinds[kind]}.example".lower()


def alias(name: str, *, variant: int) -> str:
    """The same company as another person would write it: 0 unchanged, 1 to 4 spelt differently."""
    stem, _, rest = name.partition(" ")
    kind = rest.rpartition(" ")[0]
    if variant == 1:
        return f"{stem} {kind}".upper()
    if variant == 2:
        return f"{stem} {kind}"
    if variant == 3:
        return f"{stem[:3]}{stem[4]}{stem[3]}{stem[5:]} {rest}" if len(stem) > 5 else f"{stem}  {rest}"
    if variant == 4:
        return f"{kind}, {stem}"
    return name


def person(number: int) -> tuple[str, str]:
    """Full name, and the local part of an e-mail address."""
    given, family = _GIVEN[number % len(_GIVEN)], _FAMILY[(number // len(_GIVEN)) % len(_FAMILY)]
    return f"{given} {family}", f"{given}.{family}".lower()
