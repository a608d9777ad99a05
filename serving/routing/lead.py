"""A lead as sent: checked, with money in whole cents, and what could name a person set apart."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from data.errors import InputError
from models.routing.eligibility import Asked
from serving.decisions import canonical

MOST_CENTS = 10**15
PERSONAL = ("contact_name", "contact_email", "contact_phone")


@dataclass(frozen=True)
class Lead:
    """One lead, without anything that names a person.

    Attributes:
        lead_id: The caller's id.
        company: End customer.
        domain: Its web domain.
        country: ISO 3166 code.
        region: Region within the country.
        city: City.
        industry: Industry.
        employee_count: Employees.
        products: Products asked for.
        certifications: Certificates the partner must hold.
        value_cents: Estimated value in whole cents of its currency.
        currency: ISO 4217 code.
        value_usd: The same in US dollars, as the models take it; None where no rate is known.
    """

    lead_id: str
    company: str | None = None
    domain: str | None = None
    country: str | None = None
    region: str | None = None
    city: str | None = None
    industry: str | None = None
    employee_count: int | None = None
    products: tuple[str, ...] = ()
    certifications: tuple[str, ...] = ()
    value_cents: int | None = None
    currency: str | None = None
    value_usd: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**vars(self), "products": list(self.products), "certifications": list(self.certifications)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Lead:
        """Inverse of `to_json`."""
        lists = {name: tuple(value[name]) for name in ("products", "certifications")}
        return cls(**{**value, **lists})

    def asked(self, had: tuple[str, ...]) -> Asked:
        """What the rules look at."""
        value = float("nan") if self.value_cents is None else self.value_cents / 100
        return Asked(
            self.lead_id, self.country, self.region, (self.domain or "").lower(), self.products,
            self.certifications, value, had,
        )  # fmt: skip

    def raw(self) -> dict[str, Any]:
        """As the canonical table has it, for features."""
        return {
            "country": self.country, "region": self.region, "industry": self.industry,
            "employee_count": self.employee_count, "products": list(self.products),
            "estimated_value_usd": self.value_usd,
        }  # fmt: skip


def cents_of(amount: str, *, pointer: str) -> int:
    """Whole cents of a decimal amount such as "40000" or "12.50".

    Raises:
        InputError: Not an amount, below zero, finer than cents, or too great.
    """
    try:
        number = Decimal(amount)
        cents = number * 100
        whole = int(cents)
    except (ArithmeticError, ValueError):
        raise InputError(
            "not an amount", allowed='text such as "40000" or "12.50"', pointer=pointer
        ) from None
    if cents != whole or not 0 <= whole <= MOST_CENTS:
        raise InputError("not an amount in whole cents from 0 to 10^13", pointer=pointer)
    return whole


def money(cents: int | None, currency: str | None) -> dict[str, str] | None:
    """Money as the contract shows it."""
    if cents is None or currency is None:
        return None
    return {"amount": f"{cents // 100}.{cents % 100:02d}", "currency": currency}


def commitment(salt: str, personal: Mapping[str, Any]) -> str:
    """What a decision keeps of personal fields: without the salt, erased with them, it tells nothing."""
    return hashlib.sha256(f"{salt}\x1f{canonical(dict(personal))}".encode()).hexdigest()
