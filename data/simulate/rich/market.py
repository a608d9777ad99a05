"""True chances of a lead with a partner: does it accept, and does it win once it has accepted?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from data.simulate.config import RichConfig
from data.simulate.rich.accounts import Accounts, account_of
from data.simulate.rich.engagement import Course
from data.simulate.rich.firmographics import PRODUCTS
from data.simulate.rich.population import Population
from data.simulate.streams import Floats, Ints, below, choice, normal, uniform


@dataclass(frozen=True)
class Leads:
    """Leads by number, in order of arrival.

    Attributes:
        account: The end customer.
        country: Country code number.
        region: Region code number.
        industry: Industry code number.
        employees: Employees of the customer.
        product: Product asked for, code number.
        second: Another product asked for, or -1.
        value: Estimated value, US dollars.
        day: Day of arrival after the start.
    """

    account: Ints
    country: Ints
    region: Ints
    industry: Ints
    employees: Ints
    product: Ints
    second: Ints
    value: Floats
    day: Floats


def build_leads(config: RichConfig, accounts: Accounts) -> Leads:
    """Leads spread evenly over the period."""
    seed, count = config.seed, int(config.leads * config.partners)
    number = np.arange(count)
    account = account_of(
        choice((0.28, 0.18, 0.14, 0.12, 0.08, 0.07, 0.07, 0.06), seed, "lead.country", number),
        below(1 << 40, seed, "lead.account", number),
        config.accounts,
    )
    another = uniform(seed, "lead.second", number) < 0.25
    product = below(len(PRODUCTS), seed, "lead.product", number)
    step = 1 + below(len(PRODUCTS) - 1, seed, "lead.other", number)
    employees = accounts.employees[account]
    value = 5000 * (employees / 100) ** 0.4 * np.exp(0.7 * normal(seed, "lead.value", number))
    return Leads(
        account=account,
        country=accounts.country[account],
        region=accounts.region[account],
        industry=accounts.industry[account],
        employees=employees,
        product=product,
        second=np.where(another, (product + step) % len(PRODUCTS), -1),
        value=np.round(value, -2),
        day=np.floor((number + uniform(seed, "lead.day", number)) / count * config.days * 1440) / 1440,
    )


@dataclass(frozen=True)
class Market:
    """Leads and partners together; pairs are given as two arrays of positions that broadcast."""

    config: RichConfig
    who: Population
    course: Course
    leads: Leads

    def accept_probability(self, lead: Any, partner: Any) -> Floats:
        """True P(the partner accepts the lead when offered); 0 once it has left or before it signed."""
        who, leads = self.who, self.leads
        state, present = self._state(lead, partner)
        size_gap = np.log(leads.employees[lead] / 150) - who.firms.size[partner]
        log_odds = (
            0.9
            + 0.5 * state
            + 0.5 * self.specialty(lead, partner)
            + 0.5 * self.same_region(lead, partner)
            - 0.25 * np.abs(size_gap)
            + 0.3 * np.log(leads.value[lead] / 5000)
            + 0.2 * who.quality[partner]
        )
        return np.asarray(expit(log_odds) * present)

    def win_probability(self, lead: Any, partner: Any) -> Floats:
        """True P(the lead is won, once accepted)."""
        who, leads = self.who, self.leads
        state, present = self._state(lead, partner)
        size_gap = np.log(leads.employees[lead] / 150) - who.firms.size[partner]
        same_industry = leads.industry[lead] == who.firms.industry[partner]
        log_odds = (
            -1.0
            + 0.8 * self.specialty(lead, partner)
            + 0.7 * same_industry
            + 0.6 * (same_industry & who.firms.services[partner])
            + 0.3 * self.same_region(lead, partner)
            - 0.3 * np.abs(size_gap)
            + 0.3 * who.quality[partner]
            + 0.15 * state
        )
        return np.asarray(expit(log_odds) * present)

    def specialty(self, lead: Any, partner: Any) -> Any:
        """Whether the partner regularly sells the product asked for."""
        first = (self.who.index[partner] * 3) % len(PRODUCTS)
        return (self.leads.product[lead] - first) % len(PRODUCTS) < 4

    def same_region(self, lead: Any, partner: Any) -> Any:
        """Whether both sit in the same region of the same country."""
        country = self.leads.country[lead] == self.who.firms.country[partner]
        return country & (self.leads.region[lead] == self.who.firms.region[partner])

    def _state(self, lead: Any, partner: Any) -> tuple[Floats, Any]:
        day = self.leads.day[lead]
        week = (day // 7).astype(np.int64)
        present = (self.who.signed_day[partner] <= day) & (self.course.departed_day[partner] > day)
        return self.course.engagement[partner, week], present
