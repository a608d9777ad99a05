"""The vetting policy of a workspace: read, compared on applicants there were, put in force, taken back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import ConfigError, InputError, NotFoundError
from data.mapping import parse_settings
from models.fit.settings import VettingSettings
from models.fit.vetting_change import Applicant, VettingChange, compare
from partnerintel.rulefiles import read_rules_file
from partnerintel.scoring import champion_bundle
from partnerintel.settings import Project
from partnerintel.state import opened

if TYPE_CHECKING:
    from serving.policies import InForce, Policies
    from serving.state import Database

KIND = "vetting"


@dataclass(frozen=True)
class Holding:
    """What decides about applicants.

    Attributes:
        version: Of the policy in force; None: the `fit.vetting` section of partnerintel.yaml.
        rules: The rules.
    """

    version: int | None
    rules: VettingSettings

    def __str__(self) -> str:
        return f"vetting policy {self.version}" if self.version else "`fit.vetting` of partnerintel.yaml"


def read_rules(path: Path) -> VettingSettings:
    """Rules of a YAML or JSON file; what it does not name keeps its default.

    Raises:
        InputError: It cannot be read, or a rule cannot be used; the message names its place.
    """
    try:
        return parse_settings(VettingSettings, read_rules_file(path), at="vetting")
    except ConfigError as error:
        said = error.message.replace("partnerintel.yaml: vetting", path.name)
        raise InputError(said, allowed=error.allowed, next_step=error.next_step) from None


def holding(project: Project) -> Holding:
    """What is in force."""
    with opened(project) as database:
        return _holding(project, _policies(database))


def changed_by(project: Project, rules: VettingSettings) -> tuple[Holding, VettingChange]:
    """What rules would change among the prospects of all ranked lists, judged as they were scored then."""
    with opened(project) as database:
        now = _holding(project, _policies(database))
        return now, compare(_applicants(project, database), now.rules, rules)


def put(project: Project, rules: VettingSettings, *, name: str, reason: str, by: str, now: datetime) -> int:
    """Keep rules as a new version and put it in force; scores from then on follow it.

    Raises:
        PromotionConflictError: Somebody else changed what is in force meanwhile.
    """
    from serving.policies import InForce

    with opened(project) as database:
        policies = _policies(database)
        before = policies.in_force(KIND)
        kept = policies.add(KIND, name, rules.model_dump(mode="json"), author=by, at=now)
        new = InForce(kept.version)
        if new != before:
            policies.put_in_force(KIND, new, expected=before, author=by, reason=reason, at=now)
        return kept.version


def rollback(project: Project, *, reason: str, by: str, now: datetime) -> InForce:
    """Go back to the version that was in force before.

    Raises:
        NotFoundError: There was none before.
    """
    from serving.policies import InForce

    with opened(project) as database:
        policies = _policies(database)
        before = policies.in_force(KIND)
        if before is None:
            raise NotFoundError(
                "No vetting policy was put in force: `fit.vetting` of partnerintel.yaml decides.",
                next_step="`partnerintel vetting put FILE` puts one in force.",
            )
        former = policies.former(KIND)
        if former is None:
            raise NotFoundError(
                f"Vetting policy {before.version} is the first that was in force.",
                next_step="Put other rules in force with `partnerintel vetting put FILE`.",
            )
        new = InForce(former)
        policies.put_in_force(KIND, new, expected=before, author=by, reason=reason, at=now)
        return new


def history(project: Project) -> list[dict[str, Any]]:
    """Every change of what is in force, newest first."""
    with opened(project) as database:
        return [
            {"at": c["at"][:19] + "Z", "version": c["to"]["version"], "by": c["actor"], "reason": c["reason"]}
            for c in _policies(database).changes(KIND)
        ]


def _policies(database: Database) -> Policies:
    from serving.policies import Policies

    return Policies(database)


def _holding(project: Project, policies: Policies) -> Holding:
    found = policies.in_force(KIND)
    if found is None:
        return Holding(None, project.fit.vetting)
    body = policies.read(KIND, found.version).body
    return Holding(found.version, parse_settings(VettingSettings, dict(body), at="vetting"))


def _applicants(project: Project, database: Database) -> Iterator[Applicant]:
    from serving.fit.store import ListStore

    store = ListStore(database)

    @cache
    def rate(model: str) -> float | None:
        return _base_rate(project, model)

    for list_id in store.ready_ids():
        for row in store.rows(list_id, statuses=["ranked"]):
            values: Mapping[str, Any] = row["values"]
            yield Applicant(
                row["company"] or row["prospect_id"],
                values,
                row["fit_score"],
                row["evidence"],
                bool(row["outside_experience"]),
                rate(row["model"]),
            )


def _base_rate(project: Project, model: str) -> float | None:
    from models.fit.recruited import Recruited

    try:
        bundle, _ = champion_bundle(project, model)
    except NotFoundError:
        return None
    return Recruited(bundle).rate
