"""Alerts, tracks and scores as rows of the state database, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from models.alerts.records import Alert
from models.alerts.states import Track
from serving.decisions import canonical
from serving.health.tables import ALERT_LOG, ALERTS, HEALTH_NOW, REFRESHES
from serving.state import iso

DATES = (
    "opened_on",
    "due_on",
    "acknowledged_on",
    "snoozed_until",
    "returned_on",
    "escalated_on",
    "closed_on",
)
_FIELDS = tuple(f.name for f in fields(Alert))


@dataclass(frozen=True)
class StoredAlert:
    """An alert with what is shown beside it.

    Attributes:
        alert: The alert.
        shown: Figures and sentences of the last refresh.
        region: Region of the partner.
        priority: Expected loss now, in cents; the order of the queue.
    """

    alert: Alert
    shown: Mapping[str, Any]
    region: str
    priority: float


def alert_text(alert: Alert) -> str:
    """Canonical JSON of an alert."""
    plain = {name: getattr(alert, name) for name in _FIELDS}
    return canonical({k: v.isoformat() if isinstance(v, date) else v for k, v in plain.items()})


def alert_of(text: str) -> Alert:
    """Inverse of `alert_text`."""
    plain: dict[str, Any] = json.loads(text)
    return Alert(**{**plain, **{k: date.fromisoformat(plain[k]) for k in DATES if plain[k]}})


def stored(row: Mapping[str, Any]) -> StoredAlert:
    """A stored alert of a row of `alerts`, or of the log."""
    return StoredAlert(
        alert_of(row["body"]), json.loads(row["shown"]), row.get("region", ""), float(row["priority"])
    )


def write_alerts(
    connection: Connection, alerts: Iterable[tuple[StoredAlert, str]], *, actor: str, at: datetime
) -> None:
    """Keep alerts as they are now, and log each version.

    Args:
        connection: Of `Database.write()`.
        alerts: Alerts, each with what was done to it.
        actor: By whom.
        at: When.
    """
    pairs = list(alerts)
    if not pairs:
        return
    last = connection.execute(select(func.max(ALERT_LOG.c.seq))).scalar() or 0
    rows, log = [], []
    for place, (one, action) in enumerate(pairs, start=1):
        body, shown = alert_text(one.alert), canonical(dict(one.shown))
        alert = one.alert
        rows.append(
            {
                "alert_id": alert.alert_id, "partner_id": alert.partner_id, "manager_id": alert.manager_id,
                "region": one.region, "status": alert.status, "held_out": alert.held_out,
                "opened_on": alert.opened_on.isoformat(),
                "closed_on": alert.closed_on.isoformat() if alert.closed_on else None,
                "priority": one.priority, "body": body, "shown": shown, "updated_at": iso(at),
            }
        )  # fmt: skip
        log.append(
            {"seq": last + place, "alert_id": alert.alert_id, "at": iso(at), "actor": actor, "action": action,
             "body": body, "shown": shown, "priority": one.priority}
        )  # fmt: skip
    ids = [r["alert_id"] for r in rows]
    for start in range(0, len(ids), 500):
        connection.execute(delete(ALERTS).where(ALERTS.c.alert_id.in_(ids[start : start + 500])))
    connection.execute(insert(ALERTS), rows)
    connection.execute(insert(ALERT_LOG), log)


def track_text(track: Track) -> str:
    """Canonical JSON of a track."""
    return canonical(asdict(track))


@dataclass(frozen=True)
class Before:
    """What is remembered of the last score of every partner; rows in the order of `partner_ids`.

    Attributes:
        partner_ids: Partners.
        as_of: Day of the features, ISO.
        version: Model version.
        manifest: Identity of that model.
        points: Health before it is cut, (n,).
        frame: Features, as the model of then takes them.
        tracks: Alert tracks.
    """

    partner_ids: tuple[str, ...]
    as_of: tuple[str, ...]
    version: str
    manifest: str
    points: Any
    frame: Any
    tracks: Mapping[str, Track]

    @property
    def places(self) -> dict[str, int]:
        """Partner → row."""
        return {p: i for i, p in enumerate(self.partner_ids)}


def read_before(connection: Connection) -> Before | None:
    """The last scores; None before the first refresh."""
    import numpy as np

    newest = select(REFRESHES.c.detail).order_by(REFRESHES.c.seq.desc()).limit(1)
    detail = connection.execute(newest).scalar()
    rows = connection.execute(select(HEALTH_NOW).order_by(HEALTH_NOW.c.partner_id)).mappings().all()
    if not rows or detail is None:
        return None
    layout = json.loads(detail)["layout"]
    numbers = np.frombuffer(b"".join(bytes(r["numbers"]) for r in rows), dtype="<f8")
    texts = [json.loads(r["texts"]) for r in rows]
    return Before(
        tuple(r["partner_id"] for r in rows),
        tuple(r["as_of"] for r in rows),
        rows[0]["model_version"],
        rows[0]["manifest_sha256"],
        np.array([r["points"] for r in rows]),
        _frame(layout, numbers.reshape(len(rows), -1), texts),
        {r["partner_id"]: Track(**json.loads(r["track"])) for r in rows},
    )


def _frame(layout: Mapping[str, Sequence[str]], numbers: Any, texts: Sequence[Sequence[Any]]) -> Any:
    import numpy as np
    import pandas as pd

    columns: dict[str, Any] = {name: numbers[:, k] for k, name in enumerate(layout["numbers"])}
    for k, name in enumerate(layout["texts"]):
        columns[name] = np.array([t[k] for t in texts], dtype=object)
    return pd.DataFrame(columns)


def write_before(
    connection: Connection,
    *,
    partner_ids: Sequence[str],
    managers: Mapping[str, str],
    as_of: Sequence[str],
    version: str,
    manifest: str,
    points: Any,
    frame: Any,
    tracks: Mapping[str, Track],
) -> dict[str, list[str]]:
    """Replace what is remembered; returns the layout of its columns, which the refresh keeps."""
    import numpy as np

    texts = [c for c in frame.columns if frame[c].dtype == object]
    plain = [c for c in frame.columns if c not in texts]
    numbers = np.ascontiguousarray(frame[plain].to_numpy(dtype="<f8"))
    layout = {"numbers": plain, "texts": texts}
    columns = [[None if v is None or v != v else str(v) for v in frame[c].tolist()] for c in texts]
    by_row = zip(*columns, strict=True) if columns else iter([()] * len(partner_ids))
    rows = [
        {
            "partner_id": partner, "as_of": as_of[i], "manager_id": managers.get(partner, ""),
            "model_version": version, "manifest_sha256": manifest, "points": float(points[i]),
            "numbers": numbers[i].tobytes(), "track": track_text(tracks[partner]),
            "texts": canonical(list(values)),
        }
        for i, (partner, values) in enumerate(zip(partner_ids, by_row, strict=True))
    ]  # fmt: skip
    connection.execute(delete(HEALTH_NOW))
    if rows:
        connection.execute(insert(HEALTH_NOW), rows)
    return layout
