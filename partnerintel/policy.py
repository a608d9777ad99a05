"""Routing policies: kept by version, judged by the log, put in force and taken back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import InputError, NotFoundError, PromotionRefusedError
from models.routing.policy import KIND, RoutingPolicy, read_policy
from partnerintel.outputs import write_whole
from partnerintel.rulefiles import read_rules_file
from partnerintel.settings import Project
from partnerintel.state import opened

if TYPE_CHECKING:
    from serving.policies import InForce, Policies, Policy

FOLDER = "policy"
DEFAULT = "default"
LOG, TRIAL = "log", "trial"
"""Where a verdict comes from: past leads, or those that the version decided on trial."""


@contextmanager
def policies_of(project: Project) -> Iterator[Policies]:
    """The policies of a workspace."""
    from serving.policies import Policies

    with opened(project) as database:
        yield Policies(database)


def add(project: Project, path: Path, *, name: str, by: str, now: datetime) -> Policy:
    """Keep the rules of a YAML or JSON file as a new version; the newest one again changes nothing.

    Raises:
        InputError: The file cannot be read, or a rule cannot be used; the message names its place.
    """
    rules = read_policy(read_rules_file(path))
    with policies_of(project) as policies:
        _ensure_first(policies, now=now)
        return policies.add(KIND, name, rules.to_json(), author=by, at=now)


def listed(project: Project, *, now: datetime) -> list[dict[str, Any]]:
    """All versions, newest first, and which of them decide."""
    with policies_of(project) as policies:
        in_force = _ensure_first(policies, now=now)
        return [
            {"version": p.version, "name": p.name, "author": p.author, "created": p.created_at[:19] + "Z",
             "state": _state(p.version, in_force), "verdict": _verdict_of(project, p.version, in_force)}
            for p in policies.versions(KIND)
        ]  # fmt: skip


def shown(project: Project, version: int, *, now: datetime) -> Mapping[str, Any]:
    """The rules of a version, all of them, defaults included."""
    return rules_of(project, version, now=now)[1].to_json()


def rules_of(project: Project, version: int | None, *, now: datetime) -> tuple[int, RoutingPolicy]:
    """A version and its rules; None: the one in force."""
    with policies_of(project) as policies:
        in_force = _ensure_first(policies, now=now)
        chosen = in_force.version if version is None else version
        return chosen, read_policy(policies.read(KIND, chosen).body)


def promote(
    project: Project, version: int, *, canary: float | None, reason: str, by: str, now: datetime
) -> InForce:
    """Put a version in force, or on trial for a share of the leads.

    A trial needs no verdict, for it is how one comes about; to decide about all leads a version must not have
    been found worse than the one in force, or a person says why.

    Raises:
        PromotionRefusedError: It was not judged against the one in force, or was refused.
        PromotionConflictError: Somebody else changed what is in force meanwhile.
    """
    from serving.policies import InForce

    with policies_of(project) as policies:
        before = _ensure_first(policies, now=now)
        policies.read(KIND, version)
        if version == before.version:
            raise InputError(
                f"Routing policy {version} is in force already.", next_step="`policy rollback` ends a trial."
            )
        if canary is not None:
            new = InForce(before.version, version, canary)
        else:
            new = InForce(version)
            if not reason.strip():
                _check_verdict(project, version, before)
        why = reason or ("on trial" if canary is not None else "judged no worse by the log")
        policies.put_in_force(KIND, new, expected=before, author=by, reason=why, at=now)
    return new


def rollback(project: Project, *, reason: str, by: str, now: datetime) -> InForce:
    """End the trial where there is one, else go back to the version that was in force before.

    Raises:
        NotFoundError: Nothing was in force before.
    """
    from serving.policies import InForce

    with policies_of(project) as policies:
        before = _ensure_first(policies, now=now)
        back = before.version if before.canary_version is not None else policies.former(KIND)
        if back is None:
            raise NotFoundError(
                f"Routing policy {before.version} is the first that was in force.",
                next_step="Put another version in force with `policy promote`.",
            )
        new = InForce(back)
        policies.put_in_force(KIND, new, expected=before, author=by, reason=reason or "rolled back", at=now)
    return new


def keep_report(project: Project, report: Mapping[str, Any], *, kind: str = LOG) -> Path:
    """Keep the judgement of a version; a promotion looks for it."""
    path = _report_path(project, report["policy"], report["against"], kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, report)
    return path


def write_json(path: Path, report: Mapping[str, Any]) -> None:
    """Write strict JSON, whole or not at all."""
    text = json.dumps(report, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    write_whole(path, lambda p: p.write_text(text, encoding="utf-8"))


def _ensure_first(policies: Policies, *, now: datetime) -> InForce:
    """What is in force; where nothing ever was, the defaults become version 1, as the service does."""
    from serving.policies import InForce

    found = policies.in_force(KIND)
    if found is not None:
        return found
    first = policies.add(KIND, DEFAULT, RoutingPolicy().to_json(), author="system", at=now)
    new = InForce(first.version)
    policies.put_in_force(KIND, new, expected=None, author="system", reason="the default", at=now)
    return new


def _state(version: int, in_force: InForce) -> str:
    if version == in_force.version:
        return "in force"
    return f"on trial, {in_force.canary_share:.0%}" if version == in_force.canary_version else ""


def _report_path(project: Project, version: int, against: int, kind: str) -> Path:
    return project.workspace.reports / FOLDER / f"{version}-against-{against}-{kind}.json"


def _stored(project: Project, version: int, against: int) -> dict[str, Any] | None:
    """The judgement of a version: that of its trial where it gave one, else that of the log."""
    found = None
    for kind in (LOG, TRIAL):
        path = _report_path(project, version, against, kind)
        report = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        if report is not None and (found is None or report["verdict"]["answer"] != "refused"):
            found = report
    return found


def _verdict_of(project: Project, version: int, in_force: InForce) -> str:
    report = _stored(project, version, in_force.version)
    if report is None:
        return ""
    return str(report["verdict"]["answer"]).replace("_", " ") + f" (against {in_force.version})"


def _check_verdict(project: Project, version: int, before: InForce) -> None:
    report = _stored(project, version, before.version)
    stays = f"version {before.version} stays in force"
    if report is None:
        raise PromotionRefusedError(
            f"Routing policy {version} was not judged against version {before.version}; {stays}.",
            refusals=[("not_judged", f"Run `partnerintel policy evaluate {version}`.")],
        )
    verdict = report["verdict"]
    if verdict["answer"] in ("refused", "worse"):
        raise PromotionRefusedError(
            f"Routing policy {version} is refused; {stays}.", refusals=[(verdict["code"], verdict["message"])]
        )
