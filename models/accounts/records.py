"""Company records read once into comparable parts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import InputError
from models.accounts.contact import domain_label, phone_digits, phone_key, registrable_domain
from models.accounts.folding import fold
from models.accounts.names import core_name
from models.accounts.places import country_code, parse_address

COLUMNS = ("id", "name", "domain", "country", "city", "address", "phone")
Texts = NDArray[np.object_]


@dataclass(frozen=True)
class Records:
    """Companies, sorted by id, one array per comparable part; '' where a part is unknown.

    Attributes:
        ids: Identifiers as text, unique, rising: every later tie is broken by them, never by row order.
        raw: Column → the text as given.
        core: Name without legal form and spelling variants.
        domain: Registrable web domain.
        label: Its first part, `acme` of acme.com, folded.
        country: Two-letter code, or folded text.
        city: Folded.
        house: House number.
        street: Folded words of the street.
        phone: Digits without prefixes.
    """

    ids: Texts
    raw: dict[str, Texts]
    core: Texts
    domain: Texts
    label: Texts
    country: Texts
    city: Texts
    house: Texts
    street: Texts
    phone: Texts

    def __len__(self) -> int:
        return int(self.ids.size)

    @cached_property
    def squeezed(self) -> Texts:
        """Core name without spaces: "Net App" and "NetApp" are one."""
        return _array(c.replace(" ", "") for c in self.core)

    @cached_property
    def phone_end(self) -> Texts:
        """Last seven digits of the telephone number."""
        return _array(map(phone_key, self.phone))

    def take(self, positions: NDArray[np.int64]) -> Records:
        """The records at rising positions."""
        parts = {f.name: getattr(self, f.name)[positions] for f in fields(self) if f.name != "raw"}
        return Records(raw={c: values[positions] for c, values in self.raw.items()}, **parts)

    def copies(self) -> dict[int, list[int]]:
        """First position of records that agree in every comparable part → positions of the others."""
        parts = (self.squeezed, self.domain, self.country, self.city, self.house, self.street, self.phone)
        alike: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for position, key in enumerate(zip(*parts, strict=True)):
            alike[key].append(position)
        return {found[0]: found[1:] for found in alike.values() if len(found) > 1}


def read_records(frame: Any, *, role: str = "records") -> Records:
    """Prepare a frame of companies.

    Args:
        frame: Columns `id` and `name`, and any of domain (also a URL or mail address), country, city, address
            (street and number) and phone; None, NaN and '' mean unknown.
        role: What the frame is called in messages.

    Raises:
        InputError: `id` or `name` is missing, or an id is empty or not unique.
    """
    lacking = [c for c in ("id", "name") if c not in frame.columns]
    if lacking:
        raise InputError(
            f"The {role} have no column {', '.join(lacking)}.", allowed=", ".join(COLUMNS), pointer=lacking[0]
        )
    raw = {c: _texts(frame[c]) if c in frame.columns else _array([""] * len(frame)) for c in COLUMNS}
    order = np.argsort(raw["id"], kind="stable")
    raw = {c: values[order] for c, values in raw.items()}
    _check_ids(raw["id"], role)
    domain, core = _domains_and_cores(raw["name"], raw["domain"])
    addresses = [parse_address(a) for a in raw["address"]]
    return Records(
        ids=raw["id"],
        raw=raw,
        core=core,
        domain=domain,
        label=_array(fold(domain_label(d)).replace(" ", "") for d in domain),
        country=_array(map(country_code, raw["country"])),
        city=_array(map(fold, raw["city"])),
        house=_array(a.house for a in addresses),
        street=_array(a.street for a in addresses),
        phone=_array(map(phone_digits, raw["phone"])),
    )


def _domains_and_cores(names: Texts, given: Texts) -> tuple[Texts, Texts]:
    """Domains and core names; a name that is itself a domain ("acme.com") serves as both."""
    stated = [registrable_domain(d) for d in given]
    named = [registrable_domain(n) if "." in n else "" for n in names]
    cores = (
        core_name(domain_label(n)) if n and n == fold_domain(name) else core_name(name)
        for name, n in zip(names, named, strict=True)
    )
    return _array(s or n for s, n in zip(stated, named, strict=True)), _array(cores)


def fold_domain(text: str) -> str:
    """A text as a bare domain: lower case, without scheme, www and closing slash."""
    bare = text.strip().lower().removeprefix("https://").removeprefix("http://").removeprefix("www.")
    return bare.rstrip("/")


def _texts(column: Any) -> Texts:
    return _array("" if _unknown(v) else " ".join(str(v).split()) for v in column)


def _unknown(value: Any) -> bool:
    # NaN and NaT differ from themselves; pandas.NA refuses to say.
    return value is None or (not isinstance(value, str) and str(value) in {"nan", "NaT", "<NA>"})


def _check_ids(ids: Texts, role: str) -> None:
    if ids.size and ids[0] == "":
        raise InputError(f"A row of the {role} has no id.", next_step="Give every row an id.", pointer="id")
    twice = ids[1:][ids[1:] == ids[:-1]]
    if twice.size:
        raise InputError(
            f"The id {twice[0]!r} appears twice in the {role}.", allowed="one row per id", pointer="id"
        )


def _array(values: Iterable[str]) -> Texts:
    listed = list(values)
    array = np.empty(len(listed), dtype=object)
    array[:] = listed
    return array
