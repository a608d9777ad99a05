"""What is done with a scored list: read in pages, explained, overruled, exported, judged by outcomes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from data.errors import DataError, InputError, NotFoundError
from data.spreadsheet import Limits, read_table
from data.spreadsheet.export import Format
from data.spreadsheet.parts import csv_parts, iter_file, write_parts
from models.fit.outcomes import report, slices
from serving.auth import Identity
from serving.fit.answers import answer
from serving.fit.export import export_frame
from serving.fit.outcome import aggregate_overrides
from serving.fit.outcome_file import read_outcomes
from serving.fit.scoring import FIT, FitScoring
from serving.fit.shapes import after_its_job, list_shape, override_shape, record, recorded, unreadable
from serving.fit.store import STATUSES, ListStore, Query
from serving.shared import Shared
from serving.state import iso

EXPORT_ROWS = 2_000
MOST_WORKBOOK_ROWS = 50_000
COUNT_OF = {
    "ranked": "ranked", "existing_partner": "existing_partners", "duplicate": "duplicates", "fault": "faults",
}  # fmt: skip
OVERRIDES = ("strategic", "accepted", "rejected")


class ScoredLists:
    """Use of scored lists.

    Args:
        shared: What every capability is made from.
        scoring: Scores prospects.
    """

    def __init__(self, shared: Shared, scoring: FitScoring) -> None:
        self._shared, self._scoring = shared, scoring
        self.store = ListStore(shared.database)

    def page(self, list_id: str, query: Query, *, identity: Identity) -> dict[str, Any]:
        """Rows of a list with the overrides that hold, and how many the filters leave.

        Raises:
            NotFoundError: No such list.
        """
        found = self.store.read(list_id, identity=identity)
        rows, total = self.store.page(list_id, query) if found["state"] == "ready" else ([], 0)
        holding = self._holding(list_id)
        return {
            "list": list_shape(after_its_job(found, self._shared, identity)),
            "rows": [self._row(r, holding) for r in rows],
            "total": total,
        }

    def prospect(
        self, list_id: str, prospect_id: str, *, identity: Identity, max_reasons: int = 5
    ) -> dict[str, Any]:
        """Everything about one ranked prospect, by the model that ranked it, as far as it is at hand.

        Raises:
            NotFoundError: No such list or prospect.
        """
        found = self.store.read(list_id, identity=identity)
        row = self.store.row(list_id, prospect_id)
        model = self._scoring.model_of(row["values"].get("motion"))
        options = self._scoring.options(max_reasons)
        told = answer(model, [(prospect_id, row["values"])], options)[0]
        told = {**told, "fit_probability": {**told["fit_probability"], "decision_id": None}}
        same = found["models"].get(model.bundle.model, {}).get("version") == model.served.version
        return {
            **self._row(row, self._holding(list_id)),
            "answer": told,
            "same_model_as_ranked": same,
        }

    def lift_to(
        self, list_id: str, prospect_id: str, *, rank_wanted: int, identity: Identity
    ) -> dict[str, Any]:
        """What would take a prospect to a rank: changes of what can be chosen, checked by scoring again.

        Raises:
            NotFoundError: No such list or prospect.
            InputError: The list has no such rank.
        """
        self.store.read(list_id, identity=identity)
        row = self.store.row(list_id, prospect_id)
        at = Query(filters={"status": "ranked"}, offset=rank_wanted - 1, limit=1)
        target = self.store.page(list_id, at)[0]
        if rank_wanted < 1 or not target:
            raise InputError(f"The list has no rank {rank_wanted}.", pointer="/rank")
        needed = target[0]["probability"]
        model = self._scoring.model_of(row["values"].get("motion"))
        plans = answer(model, [(prospect_id, row["values"])], self._scoring.options(5))[0][
            "what_would_change"
        ]
        enough = [p for p in plans if needed is not None and (p["fit_probability"] or 0.0) > needed]
        return {
            "prospect_id": prospect_id,
            "rank": row["rank"],
            "rank_wanted": rank_wanted,
            "probability_needed": needed,
            "plans": enough,
            "best_that_can_be_chosen": plans[0] if plans else None,
        }

    def export(
        self, list_id: str, fmt: Format, *, identity: Identity, statuses: Sequence[str] = STATUSES
    ) -> Iterator[bytes]:
        """The list as a file: original columns intact, ours beside them, nothing in it runs.

        CSV is written while it is sent, so that a long list needs little memory and begins at once; the other
        formats are put together in a temporary file first.

        Raises:
            NotFoundError: No such list.
            InputError: It is not scored yet, or too long for a workbook.
        """
        found = self._ready(list_id, identity)
        chosen = [s for s in STATUSES if s in statuses]
        rows = sum(int(found["counts"][COUNT_OF[s]]) for s in chosen)
        if fmt == "xlsx" and rows > MOST_WORKBOOK_ROWS:
            raise InputError(
                f"{rows:,} rows are too many for a workbook that is made while you wait.",
                allowed=f"up to {MOST_WORKBOOK_ROWS:,}",
                next_step="Export as CSV, which spreadsheet programs open, or as Parquet.",
                pointer="/format",
            )
        surplus = any(
            len(r["cells"]) > len(found["columns"]) for r in self.store.rows(list_id, statuses=["fault"])
        )
        record(self._shared, identity, "fit_list.export", list_id, {"format": fmt, "rows": rows})
        frames = self._frames(found, chosen, surplus=surplus)
        if fmt == "csv":
            return csv_parts(frames)
        return iter_file(lambda file: write_parts(frames, fmt, file))

    def _frames(self, found: Mapping[str, Any], statuses: Sequence[str], *, surplus: bool) -> Iterator[Any]:
        """The export in parts; at least one, so that a file without rows has its header."""
        list_id, models = found["list_id"], found["models"]
        holding = self._holding(list_id)

        def told(row: Mapping[str, Any]) -> dict[str, Any]:
            own = self._row(row, holding)
            over = own.pop("override")
            return {
                **own,
                "fit_probability": own.get("probability"),
                "override": over and over["value"],
                "override_reason": over and over["reason"],
                "list_id": list_id,
                "model_version": models.get(own.get("model") or "", {}).get("version"),
                "scored_at": found["scored_at"],
            }

        rows = self.store.rows(list_id, statuses=statuses)
        part = [told(r) for r in islice(rows, EXPORT_ROWS)]
        while True:
            yield export_frame(found["columns"], part, surplus=surplus)
            part = [told(r) for r in islice(rows, EXPORT_ROWS)]
            if not part:
                return

    def override(
        self,
        list_id: str,
        prospect_id: str,
        *,
        value: str,
        reason: str,
        expires_at: datetime,
        identity: Identity,
    ) -> dict[str, Any]:
        """A person's word beside the model's rank.

        Raises:
            NotFoundError: No such list or prospect.
            InputError: An unknown value, no reason, or an expiry that is past.
        """
        self._ready(list_id, identity)
        row = self.store.row(list_id, prospect_id)
        if value not in OVERRIDES:
            raise InputError(
                f"There is no override {value!r}.", allowed=", ".join(OVERRIDES), pointer="/value"
            )
        made = self._shared.overrides.add(
            FIT,
            f"{list_id}/{prospect_id}",
            value=value,
            model_value={"rank": row["rank"], "fit_score": row["fit_score"], "verdict": row["verdict"]},
            reason=reason,
            expires_at=expires_at,
            identity=identity,
            at=self._shared.edges.clock(),
        )
        return override_shape(made)

    def withdraw(self, list_id: str, override_id: str, *, identity: Identity) -> dict[str, Any]:
        """Take an override back.

        Raises:
            NotFoundError: No such list, or it has no such override.
        """
        self._ready(list_id, identity)
        if not self._shared.overrides.read(override_id).entity_id.startswith(f"{list_id}/"):
            raise NotFoundError("There is no such override.")
        at = self._shared.edges.clock()
        return override_shape(self._shared.overrides.withdraw(override_id, identity=identity, at=at))

    def post_outcomes(
        self, list_id: str, outcomes: Sequence[Mapping[str, Any]], *, identity: Identity
    ) -> dict[str, Any]:
        """What came of prospects, later; one posted again corrects the former.

        Args:
            list_id: The list.
            outcomes: Each `prospect_id` and `succeeded`.
            identity: Who posts.

        Returns:
            accepted, and the identifiers the list does not rank.
        """
        self._ready(list_id, identity)
        known = self.store.ranked_ids(list_id)
        last = {o["prospect_id"]: bool(o["succeeded"]) for o in outcomes}
        at = self._shared.edges.clock()
        rows = [
            {
                "prospect_id": p,
                "succeeded": int(y),
                "posted_at": iso(at),
                "posted_by": f"{identity.owner} ({identity.key_id})",
            }
            for p, y in sorted(last.items())
            if p in known
        ]
        if rows:
            told = recorded(self._shared, identity, "fit_list.outcomes", list_id, {"count": len(rows)})
            self.store.post_outcomes(list_id, rows, also=told)
        return {"accepted": len(rows), "unknown": sorted(set(last) - known)}

    def post_outcome_file(
        self, list_id: str, content: bytes, filename: str, *, identity: Identity
    ) -> dict[str, Any]:
        """Outcomes from a file, such as the export with a column more.

        Returns:
            What `post_outcomes` says, and `blank` and `faults` of the file.

        Raises:
            NotFoundError: No such list.
            InputError: The list is not scored yet, or the file holds no outcomes.
        """
        found = self._ready(list_id, identity)
        limits = Limits(file_bytes=self._shared.settings.max_upload_bytes)
        try:
            table = read_table(content, filename, limits=limits)
        except DataError as error:
            raise unreadable(error) from error
        read = read_outcomes(table, id_column=found["mapping"].get("prospect_id"))
        posted = self.post_outcomes(list_id, read.rows, identity=identity)
        return {**posted, "blank": read.blank, "faults": list(read.faults)}

    def outcome(self, list_id: str, prospect_id: str, *, identity: Identity) -> bool | None:
        """What came of one prospect; None: not known yet.

        Raises:
            NotFoundError: No such list.
        """
        self.store.read(list_id, identity=identity)
        return self.store.outcomes(list_id, prospect_id).get(prospect_id)

    def report(self, list_id: str, *, identity: Identity) -> dict[str, Any]:
        """Lift and calibration as scored then against chance and the scorecard; slices; overrides.

        Raises:
            NotFoundError: No such list.
            InputError: It is not scored yet.
        """
        found = self._ready(list_id, identity)
        outcomes = self.store.outcomes(list_id)
        ranked = self.store.rows(list_id, statuses=["ranked"])
        every = [_judged(r, outcomes.get(r["prospect_id"])) for r in ranked]
        known = [r for r in every if r["succeeded"] is not None]
        history = [o for o in self._shared.overrides.history(FIT) if o.entity_id.startswith(f"{list_id}/")]
        return {
            "list_id": list_id,
            "models": found["models"],
            "scored_at": found["scored_at"],
            "outcomes": report(known),
            "selection": slices(every),
            "overrides": aggregate_overrides(history, outcomes, at=self._shared.edges.clock()),
        }

    def _ready(self, list_id: str, identity: Identity) -> dict[str, Any]:
        found = self.store.read(list_id, identity=identity)
        if found["state"] != "ready":
            raise InputError(
                "The list is not scored yet.",
                next_step="Confirm its mapping, or wait for its job.",
                pointer="",
            )
        return found

    def _holding(self, list_id: str) -> dict[str, Any]:
        holding = self._shared.overrides.holding(FIT, at=self._shared.edges.clock())
        start = f"{list_id}/"
        return {k.removeprefix(start): o for k, o in holding.items() if k.startswith(start)}

    def _row(self, row: Mapping[str, Any], holding: Mapping[str, Any]) -> dict[str, Any]:
        over = holding.get(row["prospect_id"]) if row["status"] == "ranked" else None
        return {**row, "override": override_shape(over) if over else None}


def _judged(row: Mapping[str, Any], succeeded: bool | None) -> dict[str, Any]:
    return {
        "probability": row["probability"],
        "points": row.get("scorecard_points"),
        "succeeded": succeeded,
        "country": row["country"],
        "partner_type": row["partner_type"],
        "employees": row["values"].get("employee_count"),
        "verdict": row["verdict"],
    }
