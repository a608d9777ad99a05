"""The `features:` and `feeds:` sections of partnerintel.yaml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

EVENT_GROUPS: dict[str, tuple[str, ...]] = {
    "login": ("portal_login",),
    "content": ("content_download",),
    "email": ("email_open", "email_click"),
    "meeting": ("meeting",),
    "training": ("training_completed",),
    "ticket": ("ticket_opened",),
}
VIEW_NAMES = ("firmographics", "engagement", "deals", "enablement", "satisfaction")
FEEDABLE = (*VIEW_NAMES, *EVENT_GROUPS)
_EVERY_DAYS = re.compile(r"([1-9][0-9]{0,3})d")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FeedSettings(_Section):
    """One source of dated rows, and when its silence is suspicious.

    Attributes:
        feeds: Views or event groups that draw on it.
        stale_after_days: Days without a row from any partner after which the source counts as stale.
    """

    feeds: tuple[str, ...]
    stale_after_days: int = Field(ge=1)

    @field_validator("feeds")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in value if name not in FEEDABLE]
        if unknown:
            raise ValueError(
                f"{unknown[0]!r} is neither a view nor an event group; allowed: {', '.join(FEEDABLE)}"
            )
        return value


class OnlineSettings(_Section):
    """Where the newest features are kept.

    Attributes:
        type: `sqlite` (a file in the workspace) or `redis`.
        connection_string: Of Redis, such as `redis.internal:6379,db=0,ssl=true`; not used by SQLite.
        project: Prefix of the keys, for workspaces that share a Redis.
    """

    type: Literal["sqlite", "redis"] = "sqlite"
    connection_string: str | None = None
    project: str = Field(default="partnerintel", pattern=r"^[a-z][a-z0-9_]*$")

    @model_validator(mode="after")
    def _redis_needs_an_address(self) -> OnlineSettings:
        if self.type == "redis" and not self.connection_string:
            raise ValueError("redis needs connection_string, such as localhost:6379")
        return self


def _feed(days: int, *names: str) -> FeedSettings:
    return FeedSettings(feeds=names, stale_after_days=days)


class FeatureSettings(_Section):
    """What features are built, for which dates, and where the newest are kept.

    Attributes:
        start: First `as_of`; None: the first month (or step) after the first dated row.
        every: Distance of snapshots: `month` (the first of each), `week` (Mondays) or `<n>d`.
        event_groups: Event types that make up each group of engagement features.
        gap_window_days: How far back gaps between won days are looked for.
        gap_prior_weight: Weight of the pooled long gap, in numbers of own gaps.
        feeds: Source name to what it feeds. A source is a value of `events.source`, or the name of a
            dated table (`events`, `deals`, `certifications`, `surveys`).
        online: The online store.
    """

    start: date | None = None
    every: str = "month"
    event_groups: dict[str, tuple[str, ...]] = Field(default_factory=lambda: dict(EVENT_GROUPS))
    gap_window_days: int = Field(default=730, ge=30)
    gap_prior_weight: float = Field(default=4.0, ge=0)
    feeds: dict[str, FeedSettings] = Field(
        default_factory=lambda: {
            "events": _feed(14, "engagement"),
            "deals": _feed(62, "deals"),
            "certifications": _feed(365, "enablement"),
            "surveys": _feed(365, "satisfaction"),
        }
    )
    online: OnlineSettings = OnlineSettings()

    @field_validator("every")
    @classmethod
    def _step(cls, value: str) -> str:
        if value not in ("month", "week") and not _EVERY_DAYS.fullmatch(value):
            raise ValueError(
                f"{value!r} is no distance of snapshots; allowed: month, week, or days such as 14d"
            )
        return value

    @field_validator("event_groups")
    @classmethod
    def _groups(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        unknown = [name for name in value if name not in EVENT_GROUPS]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no event group; allowed: {', '.join(EVENT_GROUPS)}")
        return {**EVENT_GROUPS, **value}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> FeatureSettings:
        """The settings from a whole configuration, as `data.mapping.read_config` returns it.

        Raises:
            ConfigError: A value is not usable; the message names its place.
        """
        from data.mapping import parse_settings

        section = dict(config.get("features") or {})
        if config.get("feeds") is not None:
            section["feeds"] = config["feeds"]
        return parse_settings(cls, section, at="features")

    def as_ofs(self, *, data_start: date, end: date) -> list[date]:
        """Dates of the snapshots, ascending.

        Args:
            data_start: Day of the first dated row; no snapshot is taken before anything is known.
            end: Last day allowed, included.
        """
        day = self._first(self.start or data_start + timedelta(days=1))
        found = []
        while day <= end:
            found.append(day)
            day = self._next(day)
        return found

    def _first(self, day: date) -> date:
        if self.every == "month":
            return day if day.day == 1 else self._next(day)
        if self.every == "week":
            return day + timedelta(days=-day.weekday() % 7)
        return day

    def _next(self, day: date) -> date:
        if self.every == "month":
            return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
        if self.every == "week":
            return day + timedelta(days=7)
        return day + timedelta(days=int(self.every.removesuffix("d")))
