"""What companies look like from outside, and how likely such a company is to succeed as a partner."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from scipy.special import expit

from data.simulate.streams import Floats, Ints, choice, normal, uniform

COUNTRIES = ("US", "DE", "GB", "FR", "NL", "SE", "IT", "ES")
COUNTRY_WEIGHTS = (0.28, 0.18, 0.14, 0.12, 0.08, 0.07, 0.07, 0.06)
REGIONS = ("North", "South", "East", "West")
TYPES = ("reseller", "integrator", "referral", "distributor")
TYPE_WEIGHTS = (0.45, 0.27, 0.18, 0.10)
INDUSTRIES = ("manufacturing", "retail", "healthcare", "finance", "public", "logistics")
PRODUCTS = ("analytics", "backup", "cloud", "edge", "identity", "network", "security", "storage")
_TYPE_EFFECT = np.array([0.0, 0.7, -0.5, -0.3])
_INDUSTRY_EFFECT = np.array([0.5, 0.1, 0.2, -0.1, -0.6, -0.2])


@dataclass(frozen=True)
class Firms:
    """Companies, column by column; codes index the tuples of this module.

    Attributes:
        country: Country code number.
        region: Region code number.
        kind: Partner type code number.
        services: Whether the motion is services (else resell).
        industry: Industry code number.
        employees: Employees.
        revenue: Revenue in US dollars.
        founded: Year founded.
    """

    country: Ints
    region: Ints
    kind: Ints
    services: Any
    industry: Ints
    employees: Ints
    revenue: Floats
    founded: Ints

    def take(self, index: Any) -> Firms:
        """The companies at these positions."""
        return Firms(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    @property
    def size(self) -> Floats:
        """Log employees, standardised: 0 for 45 employees."""
        return (np.log(self.employees) - np.log(45)) / 1.1


def draw(seed: int, *index: Any) -> Firms:
    """Companies from the market at large, one for each (broadcast) index."""
    employees = np.maximum(np.rint(np.exp(np.log(45) + 1.1 * normal(seed, "firm.size", *index))), 2)
    kind = choice(TYPE_WEIGHTS, seed, "firm.type", *index)
    per_head = np.exp(np.log(140_000) + 0.4 * normal(seed, "firm.revenue", *index))
    age = np.floor(1 + 35 * uniform(seed, "firm.age", *index) ** 1.7)
    services_share = np.array([0.2, 0.75, 0.4, 0.05])[kind]
    return Firms(
        country=choice(COUNTRY_WEIGHTS, seed, "firm.country", *index),
        region=choice((0.3, 0.3, 0.2, 0.2), seed, "firm.region", *index),
        kind=kind,
        services=uniform(seed, "firm.motion", *index) < services_share,
        industry=choice((0.2, 0.18, 0.17, 0.17, 0.13, 0.15), seed, "firm.industry", *index),
        employees=employees.astype(np.int64),
        revenue=np.rint(employees * per_head / 1000) * 1000,
        founded=2022 - age.astype(np.int64),
    )


def fit_log_odds(firms: Firms) -> Floats:
    """Log-odds of success within 12 months of signing, given firmographics: main effects and interactions."""
    age = 2022 - firms.founded
    focused = (firms.kind == 0) & (firms.industry <= 1)
    big_services = firms.services & (firms.employees > 80)
    return np.asarray(
        -1.3
        + 1.3 * _TYPE_EFFECT[firms.kind]
        + 1.3 * _INDUSTRY_EFFECT[firms.industry]
        + 0.8 * np.tanh(firms.size)
        + 1.2 * focused
        + 1.1 * big_services
        - 0.8 * (firms.country >= 5)
        + 0.7 * ((age >= 4) & (age <= 15))
        - 0.9 * ((firms.kind == 2) & firms.services)
    )


def fit_probability(firms: Firms) -> Floats:
    """True probability that such a company proves productive.

    Only productive partners source deals in their first 12 months, and nearly all that stay win one.
    """
    return np.asarray(expit(fit_log_odds(firms)), dtype=np.float64)


def recruiter_liking(firms: Firms) -> Floats:
    """What draws recruiters: size and home markets more than fit."""
    return 0.7 * firms.size + 0.6 * (firms.country <= 2) + 0.25 * fit_log_odds(firms)


def columns(firms: Firms, numbers: Any) -> dict[str, Any]:
    """Canonical firmographic columns; `numbers` name the companies."""
    from data.simulate.rich.names import company_names

    names, domains = company_names(numbers, kind="partner")
    country = np.array(COUNTRIES, dtype=object)[firms.country]
    region = np.array(REGIONS, dtype=object)[firms.region]
    return {
        "name": names,
        "domain": domains,
        "country": country,
        "region": region,
        "city": np.array([f"{c}-{r}-City" for c, r in zip(country, region, strict=True)], dtype=object),
        "partner_type": np.array(TYPES, dtype=object)[firms.kind],
        "motion": np.where(firms.services, "services", "resell").astype(object),
        "industry": np.array(INDUSTRIES, dtype=object)[firms.industry],
        "employee_count": firms.employees,
        "annual_revenue_usd": firms.revenue,
        "founded_year": firms.founded,
    }
