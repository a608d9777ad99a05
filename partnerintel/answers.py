"""Answers on the command line: score a file or every partner, explain one, replay a decision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from data.errors import InputError, NotFoundError
from data.mapping import SnapshotMapping
from partnerintel.console import Tick
from partnerintel.settings import Project

CHUNK_ROWS = 5_000
REASONS_SHOWN = 3
ADMIN_OWNER = "command line"


@contextmanager
def _served(project: Project, now: datetime) -> Iterator[Any]:
    """One worker of the service, in this process, without a network."""
    from serving.runtime import open_runtime, real_edges

    runtime = open_runtime(project.workspace.root, edges=real_edges(clock=lambda: now))
    try:
        runtime.resident.refresh()
        yield runtime
    finally:
        runtime.stop()


def explain_entity(project: Project, entity: str, *, model: str, now: datetime) -> dict[str, Any]:
    """Score of one partner as the service answers it, recorded as a decision.

    Raises:
        NotFoundError: No such partner.
        InputError: The model does not score partners by identifier.
    """
    from serving.auth import Identity
    from serving.scoring import Wish

    if model != "churn":
        raise InputError(f"Model {model!r} does not score known partners.", allowed="churn")
    admin = Identity(key_id="", owner=ADMIN_OWNER, role="admin")
    with _served(project, now) as runtime:
        found: dict[str, Any] = runtime.use_cases.scoring.churn_of_partner(entity, Wish(), identity=admin)
    return found


def replay_decision(project: Project, decision_id: str, *, now: datetime) -> dict[str, Any]:
    """The decision as stored, and whether it comes out the same again.

    Raises:
        NotFoundError: No such decision.
    """
    from serving.auth import Identity

    admin = Identity(key_id="", owner=ADMIN_OWNER, role="admin")
    with _served(project, now) as runtime:
        found: dict[str, Any] = runtime.use_cases.replay.show(decision_id, identity=admin)
    return found


def score_file(project: Project, model: str, *, source: Path | None, output: Path, tick: Tick) -> int:
    """Score rows of a file, or every partner, into a CSV or Parquet file; returns the number of rows.

    The output is written beside its name and renamed when it is whole.

    Raises:
        NotFoundError: The model has no champion.
        InputError: The output is neither CSV nor Parquet.
    """
    import pandas as pd

    if output.suffix not in (".csv", ".parquet"):
        raise InputError(f"Cannot write {output.name}.", allowed="a name that ends in .csv or .parquet")
    bundle, version = champion_bundle(project, model)
    keys, rows = resident_rows(project) if source is None else _rows_of(project, model, source)
    parts = []
    for start in range(0, len(rows), CHUNK_ROWS):
        stop = min(start + CHUNK_ROWS, len(rows))
        parts.append(_scored(bundle, keys.iloc[start:stop], rows.iloc[start:stop], version))
        tick(f"{stop:,} rows", stop / len(rows))
    frame = pd.concat(parts, ignore_index=True) if parts else keys
    scratch = output.with_name(f".{output.name}.tmp")
    frame.to_csv(scratch, index=False) if output.suffix == ".csv" else frame.to_parquet(scratch, index=False)
    scratch.replace(output)
    return len(frame)


def champion_bundle(project: Project, model: str) -> tuple[Any, int]:
    """The verified champion and its version.

    Raises:
        NotFoundError: There is none.
    """
    from models.bundle import load_bundle
    from models.registry import Registry, RegistrySettings

    registry = Registry(RegistrySettings(root=project.workspace.root))
    champion = registry.champion(model)
    if champion is None:
        raise NotFoundError(
            f"Model {model!r} has no champion.",
            allowed=", ".join(registry.models()) or "none is registered yet",
            next_step=f"Run `partnerintel train {model}` and `partnerintel promote {model}`.",
        )
    folder = registry.fetch(model, champion.version)
    return load_bundle(folder, expected=champion.manifest_sha256), champion.version


def resident_rows(project: Project) -> tuple[Any, Any]:
    """Identifiers with the time of their features, and the newest features, of every partner."""
    import pandas as pd

    from features.matrix import load_matrix
    from features.store import FeatureStore

    matrix = load_matrix(FeatureStore(project.features, project.workspace.root))
    keys = pd.DataFrame({"partner_id": matrix.partner_ids, "features_as_of": matrix.features_as_of})
    return keys, matrix.frame.reset_index(drop=True)


def _rows_of(project: Project, model: str, source: Path) -> tuple[Any, Any]:
    """Entity columns and features of a file, read as the model's snapshots are."""
    from data.snapshots import read_snapshot
    from features.panel import build_panel

    mapping = next((s for s in project.data.snapshots if s.model == model), None)
    authored = mapping or SnapshotMapping(model=model, path="-", entity_id=("partner_id",))
    wanted = authored.model_copy(update={"path": str(source.resolve()), "query": None, "source": None})
    snapshot = read_snapshot(wanted, base=project.workspace.root, labelled=False)
    rows = build_panel(
        snapshot.frame, entity_id=snapshot.entity_id, as_of=snapshot.as_of, lags=authored.lags
    ).reset_index(drop=True)
    return rows[list(snapshot.entity_id)], rows


def _scored(bundle: Any, keys: Any, rows: Any, version: int) -> Any:
    from models.explain import reasons

    for feature in bundle.spec.features:
        if feature.name not in rows.columns:
            rows = rows.assign(**{feature.name: None if feature.kind == "category" else float("nan")})
    matrix = bundle.encode(rows)
    scores = bundle.score(matrix)
    horizons = sorted(bundle.horizons)
    columns: dict[str, Any] = {}
    for h in horizons:
        end = f"_{h}d" if h else ""
        columns[f"probability{end}"] = scores.probability[h]
        columns[f"low{end}"], columns[f"high{end}"] = scores.low[h], scores.high[h]
    why = reasons(bundle, rows, matrix, horizon=horizons[-1], max_reasons=REASONS_SHOWN)
    for k in range(REASONS_SHOWN):
        columns[f"reason_{k + 1}"] = [_nth(r.reasons, k) for r in why]
    return keys.reset_index(drop=True).assign(**columns, evidence=scores.evidence, model_version=version)


def _nth(found: Any, k: int) -> str:
    """The k-th strongest reason, whatever its direction."""
    strongest = sorted(found, key=lambda r: -abs(r.contribution))
    return strongest[k].sentence if k < len(strongest) else ""
