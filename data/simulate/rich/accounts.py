"""End customers: who they are, and how many ways their name is written."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from data.simulate.rich.firmographics import COUNTRIES, INDUSTRIES, REGIONS
from data.simulate.rich.names import alias, company_names
from data.simulate.streams import Ints, below, choice, normal

VARIANTS = 5


@dataclass(frozen=True)
class Accounts:
    """End customers by number; number modulo the number of countries is the country.

    Attributes:
        spelling: (accounts, 5) ways to write the name; the first is the right one.
        domain: Web domain.
        country: Country code number.
        region: Region code number.
        industry: Industry code number.
        employees: Employees.
    """

    spelling: Any
    domain: Any
    country: Ints
    region: Ints
    industry: Ints
    employees: Ints


@lru_cache(maxsize=4)
def build_accounts(seed: int, count: int) -> Accounts:
    """All end customers of a world."""
    number = np.arange(count)
    names, domains = company_names(number, kind="account")
    employees = np.rint(np.exp(5 + 1.3 * normal(seed, "account.size", number)))
    spelling = np.array([[alias(n, variant=v) for v in range(VARIANTS)] for n in names], dtype=object)
    return Accounts(
        spelling=spelling,
        domain=domains,
        country=number % len(COUNTRIES),
        region=below(len(REGIONS), seed, "account.region", number),
        industry=below(len(INDUSTRIES), seed, "account.industry", number),
        employees=np.maximum(employees, 3).astype(np.int64),
    )


def account_of(country: Any, slot: Any, count: int) -> Ints:
    """The account of a country in a slot: the same slot always gives the same account."""
    per_country = count // len(COUNTRIES)
    return np.asarray((np.asarray(slot) % per_country) * len(COUNTRIES) + country, dtype=np.int64)


def written(accounts: Accounts, account: Ints, seed: int, stream: str, *index: Any, messy: bool) -> Any:
    """Names as somebody typed them: one in six is spelt differently in a messy world."""
    weights = (0.84, 0.04, 0.06, 0.03, 0.03) if messy else (1.0, 0.0, 0.0, 0.0, 0.0)
    return accounts.spelling[account, choice(weights, seed, stream, *index)]


def truth_of(accounts: Accounts) -> pd.DataFrame:
    """Which spellings are the same company."""
    count = len(accounts.domain)
    return pd.DataFrame(
        {
            "account_domain": np.repeat(accounts.domain, VARIANTS),
            "spelling": accounts.spelling.reshape(-1),
            "variant": np.tile(np.arange(VARIANTS), count),
        }
    )
