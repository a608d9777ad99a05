"""What routing means to this customer: the `routing:` section of partnerintel.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class RoutingSettings(BaseModel):
    """How outcomes of leads are read, and how the service keeps its promises.

    Attributes:
        answer_days: An offer that was not accepted within this many days was not accepted.
        win_days: An accepted lead that was not won within this many days was not won.
        currency: Currency of money in answers where the lead gives none.
        usd_rates: US dollars for one unit of a currency; the models take values in US dollars.
        registration_days: An open registration older than this no longer holds an account.
        relationship_days: A partner that won a deal with an account this recently knows it.
        match_least: Least probability at which a registered account counts as the lead's.
        keep_offers: Whether the nightly job copies leads and offers of the service into the lake; switch it
            off where your own export of `assignments` holds them.
        sweep_seconds: How often the service looks for offers that ran out.
        idempotency_days: How long a key of an answered request is remembered.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    answer_days: int = Field(default=14, ge=1, le=365)
    win_days: int = Field(default=180, ge=1, le=1095)
    currency: str = Field(default="USD", pattern="^[A-Z]{3}$")
    usd_rates: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=lambda: {"USD": 1.0})
    registration_days: int = Field(default=180, ge=1, le=3650)
    relationship_days: int = Field(default=365, ge=0, le=3650)
    match_least: float = Field(default=0.8, gt=0, le=1)
    keep_offers: bool = True
    sweep_seconds: float = Field(default=15.0, gt=0, le=3600)
    idempotency_days: int = Field(default=30, ge=1, le=3650)

    def in_usd(self, cents: int | None, currency: str | None) -> float | None:
        """A value in US dollars; None where there is none, or no rate for its currency."""
        rate = self.usd_rates.get(currency or self.currency)
        return None if cents is None or rate is None else cents / 100 * rate
