"""What is in service at one moment: models and partner features, swapped as one immutable value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

from data.errors import NotFoundError
from serving.errors import UnavailableError

Source = Literal["registry", "local", "seed"]


@dataclass(frozen=True)
class Served:
    """A loaded, verified model.

    Attributes:
        bundle: models.bundle.Bundle.
        version: Its version in the registry.
        source: The registry; the local copy, when the registry could not be read; or the bento's seed.
        promoted_at: When it became champion, RFC 3339, if the registry said so.
    """

    bundle: Any
    version: str
    source: Source
    promoted_at: str | None = None


@dataclass(frozen=True)
class Partners:
    """The newest features of every partner, and who manages whom.

    Attributes:
        matrix: features.matrix.FeatureMatrix.
        managers: Partner to manager, as known now.
        confirmed_at: When the feature store last agreed that this is the newest, naive UTC.
        degraded: Whether the store cannot be reached and these are the last-known features.
    """

    matrix: Any
    managers: Mapping[str, str]
    confirmed_at: datetime
    degraded: bool = False

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Partner to row of the matrix."""
        return {partner_id: i for i, partner_id in enumerate(self.matrix.partner_ids)}

    @cached_property
    def columns(self) -> Mapping[str, list[float | str | None]]:
        """Every feature as plain values: a request then costs no pandas. NaN is a missing number."""
        found: dict[str, list[float | str | None]] = {}
        for name in self.matrix.columns:
            column = self.matrix.frame[name]
            if column.dtype.kind in "fiub":
                found[name] = column.to_numpy(dtype="float64").tolist()
            else:
                pairs = zip(column, column.isna(), strict=True)
                found[name] = [None if missing else str(value) for value, missing in pairs]
        return found

    @cached_property
    def as_of(self) -> Mapping[str, datetime]:
        """Partner to the time of its features, naive UTC."""
        times = self.matrix.features_as_of.astype("datetime64[us]").tolist()
        return dict(zip(self.matrix.partner_ids, times, strict=True))


@dataclass(frozen=True)
class View:
    """Models and features that answer one request together.

    Attributes:
        models: By name.
        partners: None when there are no features at all.
        faults: What is wrong, by subject (`model churn`, `features`), in words.
    """

    models: Mapping[str, Served] = field(default_factory=dict)
    partners: Partners | None = None
    faults: Mapping[str, str] = field(default_factory=dict)

    def model(self, name: str) -> Served:
        """The served model of that name.

        Raises:
            UnavailableError: A fault keeps its champion, or all features and models, from serving.
            NotFoundError: There is no such model, or no version of it was ever promoted.
        """
        if name in self.models:
            return self.models[name]
        from models.catalog import specs

        if name not in specs():
            raise NotFoundError("There is no model of that name.", allowed=", ".join(sorted(specs())))
        wanting = UnavailableError if self.faults or not self.models else NotFoundError
        raise wanting(
            f"No version of {name} is in service.",
            next_step=f"`partnerintel promote {name}` puts one there; /readyz says more.",
        )

    def sees(self, partner_id: str, *, manager_id: str | None) -> bool:
        """Whether a partner exists for the caller.

        Args:
            partner_id: As sent.
            manager_id: A channel manager sees only its own partners; None sees all.
        """
        if self.partners is None or not self.partners.matrix.has(partner_id):
            return False
        return manager_id is None or self.partners.managers.get(partner_id) == manager_id
