"""What a partner and a lead have to do with each other: one function, for training and for serving alike.

A `PartnerBlock` holds what pairs need of all partners at one moment, as numbers; leads are coded against it.
Training looks at one (lead, partner) pair a row, serving at one lead and thousands of partners: both call
`pair_columns`, so a pair has the same features in both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
UNKNOWN = -1
SEPARATOR = "|"
SERVICES = "service"
PAIR_COLUMNS = (
    "same_country",
    "same_region",
    "same_industry",
    "same_industry_services",
    "size_gap_log",
    "size_ratio_log",
    "product_known_share",
    "product_deal_count",
    "product_deal_share",
)
LEAD_COLUMNS = ("lead_value_usd", "lead_employee_count", "lead_product_count")


@dataclass(frozen=True)
class PartnerBlock:
    """What pairs need of N partners at one moment.

    Attributes:
        country: Code of the home country, -1 unknown.
        region: Code of the region, -1 unknown.
        industry: Code of the main industry, -1 unknown.
        services: 1 where the go-to-market motion is services, 0 where not, NaN unknown.
        employees_log: ln(employees), NaN unknown.
        deals: (N, products) deals of each product that the partner brought; NaN when no deals are known.
        codes: `country`, `region`, `industry`, `product` → text → code.
    """

    country: Integers
    region: Integers
    industry: Integers
    services: Floats
    employees_log: Floats
    deals: Floats
    codes: Mapping[str, Mapping[str, int]]

    def __len__(self) -> int:
        return len(self.country)

    @cached_property
    def deal_total(self) -> Floats:
        """(N,) deals in all products."""
        return np.asarray(self.deals.sum(axis=1))


@dataclass(frozen=True)
class LeadBlock:
    """Leads coded against a partner block: -3 for a text that no partner has, -2 for none at all.

    Attributes:
        country: Code.
        region: Code.
        industry: Code.
        employees_log: ln(employees), NaN unknown.
        asked: (n, products) 1 where the product is asked for.
        asked_count: Products asked for, whether any partner sells them or not.
    """

    country: Integers
    region: Integers
    industry: Integers
    employees_log: Floats
    asked: Floats
    asked_count: Floats


def partner_block(frame: Any, deals: Any | None = None) -> PartnerBlock:
    """The block of a frame of partner features.

    Args:
        frame: Index partner_id; of `country`, `region`, `industry`, `motion`, `employee_count` what there is.
        deals: Index partner_id, a column for each product, counts; None: no deals are known.
    """
    counts = np.full((len(frame), 0), np.nan)
    products: tuple[str, ...] = ()
    if deals is not None:
        products = tuple(sorted(map(str, deals.columns)))
        counts = deals.reindex(index=frame.index, columns=products).to_numpy(dtype=np.float64)
    given = {
        **{name: _codes_of(_texts(frame, name)) for name in ("country", "region", "industry")},
        "product": {p: i for i, p in enumerate(products)},
    }
    motion = _texts(frame, "motion")
    services = [np.nan if m is None else float(SERVICES in m.lower()) for m in motion]
    return PartnerBlock(
        country=_coded(_texts(frame, "country"), given["country"]),
        region=_coded(_texts(frame, "region"), given["region"]),
        industry=_coded(_texts(frame, "industry"), given["industry"]),
        services=np.array(services, dtype=np.float64),
        employees_log=_log(frame.get("employee_count"), len(frame)),
        deals=counts,
        codes=given,
    )


def lead_block(leads: Sequence[Mapping[str, Any]], partners: PartnerBlock) -> LeadBlock:
    """Leads with `country`, `region`, `industry`, `employee_count`, `products` as in the canonical table."""
    codes = partners.codes
    texts = {n: [_text(lead.get(n)) for lead in leads] for n in ("country", "region", "industry")}
    products = [split_products(lead.get("products")) for lead in leads]
    asked = np.zeros((len(leads), len(codes["product"])))
    for row, wanted in enumerate(products):
        for product in wanted:
            if product in codes["product"]:
                asked[row, codes["product"][product]] = 1.0
    employees = np.array([_float(lead.get("employee_count")) for lead in leads], dtype=np.float64)
    return LeadBlock(
        **{n: _coded(texts[n], codes[n], unknown=UNKNOWN - 1) for n in texts},
        employees_log=_ln(employees),
        asked=asked,
        asked_count=np.array([float(len(p)) for p in products], dtype=np.float64),
    )


def pair_columns(leads: LeadBlock, lead_at: Any, partners: PartnerBlock, partner_at: Any) -> Floats:
    """(n, len(PAIR_COLUMNS)) features of pairs; NaN where one side is unknown.

    Args:
        leads: Leads.
        lead_at: (n,) positions of leads, or one position for all pairs.
        partners: Partners.
        partner_at: (n,) positions of partners, or `slice(None)` for all.
    """
    country = _same(leads.country[lead_at], partners.country[partner_at])
    region = _same(leads.region[lead_at], partners.region[partner_at])
    industry = _same(leads.industry[lead_at], partners.industry[partner_at])
    services = partners.services[partner_at]
    # Where the countries differ, regions of the same name are different places.
    region = np.where(country == 0.0, 0.0, region)
    known, brought, share = _products(leads, lead_at, partners, partner_at)
    # Signed as well: customers of a partner are usually larger than itself, so a ratio of 1 is not the best.
    ratio = leads.employees_log[lead_at] - partners.employees_log[partner_at]
    same = [country, region, industry, industry * services]
    return np.column_stack([*same, np.abs(ratio), ratio, known, brought, share])


def lead_columns(lead: Mapping[str, Any]) -> dict[str, float]:
    """Features of a lead alone, by name; NaN unknown."""
    return {
        "lead_value_usd": _float(lead.get("estimated_value_usd")),
        "lead_employee_count": _float(lead.get("employee_count")),
        "lead_product_count": float(len(split_products(lead.get("products")))) or float("nan"),
    }


def split_products(products: Any) -> tuple[str, ...]:
    """Products asked for: a list, or a text separated by `|`; distinct, in order."""
    if products is None or (isinstance(products, float) and products != products):
        return ()
    given = str(products).split(SEPARATOR) if isinstance(products, str) else [str(p) for p in products]
    return tuple(dict.fromkeys(p.strip() for p in given if p.strip()))


def _products(
    leads: LeadBlock, lead_at: Any, partners: PartnerBlock, partner_at: Any
) -> tuple[Floats, Floats, Floats]:
    """Share of the products asked for that the partner sold, its deals in them, their share of its deals."""
    total = partners.deal_total[partner_at]
    if not partners.deals.shape[1]:
        nothing = np.full(len(total), np.nan)
        return nothing, nothing, nothing
    brought, sold = _sold(leads.asked[lead_at], partners.deals[partner_at])
    count = np.broadcast_to(leads.asked_count[lead_at], total.shape)
    wanted = (count > 0) & ~np.isnan(total)
    known = np.divide(sold, count, out=np.full(len(total), np.nan), where=wanted)
    share = np.divide(brought, total, out=np.zeros(len(total)), where=total > 0)
    return known, np.where(wanted, brought, np.nan), np.where(wanted, share, np.nan)


def _sold(asked: Floats, deals: Floats) -> tuple[Floats, Floats]:
    """Deals in the products asked for, and how many of these were sold at all; whole numbers, so exact."""
    if asked.ndim == 1:
        deals = deals[:, np.flatnonzero(asked)]
        return deals.sum(axis=1), (deals > 0).sum(axis=1).astype(np.float64)
    return (deals * asked).sum(axis=1), ((deals > 0) * asked).sum(axis=1)


def _same(a: Integers, b: Integers) -> Floats:
    """1 equal, 0 different, NaN where the lead says nothing (-2) or the partner's is unknown (-1)."""
    return np.where((a == UNKNOWN - 1) | (b == UNKNOWN), np.nan, np.equal(a, b).astype(np.float64))


def _codes_of(texts: Sequence[str | None]) -> dict[str, int]:
    return {text: i for i, text in enumerate(sorted({t for t in texts if t is not None}))}


def _coded(texts: Sequence[str | None], codes: Mapping[str, int], *, unknown: int = UNKNOWN) -> Integers:
    """Codes; a text without one is -3: it says something, but no partner matches it."""
    found = (unknown if t is None else codes.get(t, UNKNOWN - 2) for t in texts)
    return np.fromiter(found, dtype=np.int64, count=len(texts))


def _texts(frame: Any, name: str) -> list[str | None]:
    if name not in frame:
        return [None] * len(frame)
    return [_text(v) for v in frame[name].tolist()]


def _text(value: Any) -> str | None:
    if value is None or value != value or str(value) == "<NA>":
        return None
    return str(value).strip() or None


def _float(value: Any) -> float:
    if value is None or str(value) == "<NA>":
        return float("nan")
    return float(value)


def _log(column: Any, count: int) -> Floats:
    if column is None:
        return np.full(count, np.nan)
    return _ln(column.to_numpy(dtype=np.float64, na_value=np.nan))


def _ln(values: Floats) -> Floats:
    return np.log(np.where(values > 0, values, np.nan))
