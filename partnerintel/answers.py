"""Answers about one entity on the command line: explain a score, replay a decision.

Both go through the use cases of the service, so that they are the same answers, on the same record.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from data.errors import InputError, NotFoundError
from partnerintel.datasets import check_model, snapshot_of
from partnerintel.rows import Rows, rows_to_score
from partnerintel.scoring import champion_bundle
from partnerintel.settings import Project

if TYPE_CHECKING:
    from serving.auth import Identity
    from serving.scoring import Scoring

ADMIN_OWNER = "command line"


@contextmanager
def _served(project: Project, now: datetime) -> Iterator[Any]:
    """One worker of the service, in this process, without a network."""
    from serving.logs import EventLog
    from serving.runtime import open_runtime
    from serving.shared import real_edges

    edges = real_edges(clock=lambda: now)
    # The events of a service that lives for one answer are of no interest to anyone.
    quiet = EventLog(clock=edges.clock, stream=io.StringIO())
    runtime = open_runtime(project.workspace.root, edges=edges, log=quiet)
    try:
        runtime.resident.refresh()
        yield runtime
    finally:
        runtime.stop()


def _admin() -> Identity:
    from serving.auth import Identity

    return Identity(key_id="", owner=ADMIN_OWNER, role="admin")


def explain_entity(project: Project, entity: str, *, model: str, now: datetime) -> Mapping[str, Any]:
    """Scores of one entity with reasons that add up, recorded as a decision.

    Returns:
        Horizon in days as text (`0`: the model has none) to the score as the API shapes it.

    Raises:
        NotFoundError: No such model or entity, or no champion.
    """
    check_model(project, model)
    bundle, _ = champion_bundle(project, model)
    of_partners = snapshot_of(project, model) is None and model == "churn"
    row = None if of_partners else _row(project, entity, model=model, bundle=bundle, now=now)
    with _served(project, now) as runtime:
        scoring: Scoring = runtime.use_cases.scoring
        return _of_partner(scoring, entity) if row is None else _of_row(scoring, model, row)


def _of_partner(scoring: Scoring, entity: str) -> Mapping[str, Any]:
    from serving.scoring import Wish

    try:
        found = scoring.churn_of_partner(entity, Wish(), identity=_admin())
    except NotFoundError:
        raise NotFoundError(
            f"There is no partner {entity!r}.",
            next_step="`partnerintel score churn -o scores.csv` lists all partners.",
        ) from None
    scores: Mapping[str, Any] = found["churn_probability"]
    return scores


def _of_row(scoring: Scoring, model: str, row: Mapping[str, Any]) -> Mapping[str, Any]:
    from serving.scoring import Wish

    answer = scoring.rows_of_model(model, [row], Wish(), identity=_admin())
    if not answer["results"]:
        faults = "; ".join(f"{e['pointer']} {e['detail']}" for e in answer["errors"][0]["errors"])
        raise InputError(f"The row cannot be scored: {faults}.")
    scores: Mapping[str, Any] = answer["results"][0]["scores"]
    return scores


def _row(project: Project, entity: str, *, model: str, bundle: Any, now: datetime) -> dict[str, Any]:
    """The newest ready-made row of an entity, as the API takes it; several identifiers joined by a slash."""
    rows = rows_to_score(project, model, bundle, source=None, now=now)
    entity_id = list(bundle.spec.entity_id)
    names = rows.keys[entity_id].astype(str).agg("/".join, axis=1)
    at = (names == entity).to_numpy().nonzero()[0][:1]
    if not len(at):
        raise NotFoundError(
            f"Model {model!r} has no {'/'.join(entity_id)} {entity!r}.",
            allowed=", ".join([*names.head(3), "…"]),
        )
    values = {f.name: _plain(rows.features[f.name].iloc[at[0]], f.kind) for f in bundle.spec.features}
    return {
        **rows.keys[entity_id].iloc[at[0]].astype(str),
        **_moment(rows, at[0], entity_id),
        "features": values,
    }


def _plain(value: Any, kind: str) -> float | str | bool | None:
    if value is None or value != value:
        return None
    return str(value) if kind == "category" else bool(value) if kind == "flag" else float(value)


def _moment(rows: Rows, at: int, entity_id: list[str]) -> dict[str, str]:
    """Day the row describes, when it has one."""
    dated = [c for c in rows.keys.columns if c not in entity_id]
    return {"as_of": f"{rows.keys[dated[0]].iloc[at]:%Y-%m-%d}"} if dated else {}


def replay_decision(project: Project, decision_id: str, *, now: datetime) -> dict[str, Any]:
    """The decision as stored, and whether it comes out the same again.

    Raises:
        NotFoundError: No such decision.
    """
    with _served(project, now) as runtime:
        try:
            found: dict[str, Any] = runtime.use_cases.replay.show(decision_id, identity=_admin())
        except NotFoundError:
            raise NotFoundError(
                f"There is no decision {decision_id!r}.",
                next_step="`partnerintel explain` and every answer of the API print theirs.",
            ) from None
    return found
