"""The catalogue of plays: what to do about a driver, by when, and how one knows that it worked."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from data.errors import ConfigError

CATALOGUE = Path(__file__).with_name("playbooks.yaml")


class Play(BaseModel):
    """One entry.

    Attributes:
        key: Its name in alerts.
        title: One line for people.
        steps: What to do, in order.
        due_days: Days in which to have acted.
        works_when: How one knows that it worked.
        drivers: Business factors it is meant for; empty: any.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    title: str
    steps: tuple[str, ...] = Field(min_length=1)
    due_days: int = Field(default=7, ge=1, le=90)
    works_when: str = ""
    drivers: tuple[str, ...] = ()


class Playbook(BaseModel):
    """A catalogue; a driver belongs to one play, and one play takes all others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    plays: tuple[Play, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _unambiguous(self) -> Playbook:
        drivers = [d for p in self.plays for d in p.drivers]
        twice = sorted({d for d in drivers if drivers.count(d) > 1})
        if twice:
            raise ValueError(f"driver {twice[0]} has two plays")
        if sum(not p.drivers for p in self.plays) != 1:
            raise ValueError("exactly one play must have no drivers: the one for all others")
        return self

    def play(self, driver: str) -> Play:
        """The play for a driver."""
        by_driver: Mapping[str, Play] = {d: p for p in self.plays for d in p.drivers}
        return by_driver.get(driver) or next(p for p in self.plays if not p.drivers)

    def named(self, key: str) -> Play | None:
        """The play of that name."""
        return next((p for p in self.plays if p.key == key), None)


def read_playbook(path: Path = CATALOGUE) -> Playbook:
    """The catalogue of a YAML file.

    Raises:
        ConfigError: It cannot be read, or breaks the shape.
    """
    import yaml

    try:
        found: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Playbook.model_validate({"plays": found})
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(
            f"The playbook {path.name} cannot be used: {error}",
            allowed="a list of plays with key, title, steps, due_days, drivers",
        ) from None


@cache
def standard_playbook() -> Playbook:
    """The catalogue that comes with the product."""
    return read_playbook()
