"""The scoring use cases: they know models, features and decisions, and no HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from data.errors import MissingDataError, NotFoundError
from serving.auth import Identity
from serving.decisions import Decision, DecisionLog
from serving.encoded import ResidentRows
from serving.errors import UnavailableError
from serving.ids import new_id
from serving.problems import FieldError
from serving.rows import BadRow, Row, check_rows
from serving.scores import Input, Options, chosen_horizons, score_inputs
from serving.settings import ServingSettings
from serving.view import Partners, Served, View

CHURN = "churn"


@dataclass(frozen=True)
class Wish:
    """What the caller wants to have for each row."""

    horizons_days: tuple[int, ...] = ()
    max_reasons: int = 5


@dataclass(frozen=True)
class _Scored:
    entity: Mapping[str, str]
    row: Input
    sent: Mapping[str, Any]


class Scoring:
    """Scores with reasons; every answer is a recorded decision.

    Args:
        view: Gives models and features as they are in service now.
        decisions: Where decisions are kept.
        settings: Ages at which features are stale or expired.
        clock: Naive UTC time.
        random: Source of random bytes for ids.
        counted: Called with (model, evidence) for each score.
    """

    def __init__(
        self,
        view: Callable[[], View],
        *,
        decisions: DecisionLog,
        settings: ServingSettings,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
        counted: Callable[[str, str], None],
    ) -> None:
        self._view, self._decisions, self._settings = view, decisions, settings
        self._clock, self._random, self._counted = clock, random, counted
        self._resident = ResidentRows()

    def churn_of_partners(
        self, partner_ids: Sequence[str], wish: Wish, *, identity: Identity
    ) -> dict[str, Any]:
        """Churn of known partners, from the features in memory; unknown ones are entries under `errors`."""
        return self._churn_of(partner_ids, wish, identity=identity, again=False)

    def _churn_of(
        self, partner_ids: Sequence[str], wish: Wish, *, identity: Identity, again: bool
    ) -> dict[str, Any]:
        view = self._view()
        served = view.model(CHURN)
        partners = self._fresh(view)
        _check_columns(served, partners)
        seen = [view.sees(p, manager_id=_limit(identity)) for p in partner_ids]
        known = [p for p, there in zip(partner_ids, seen, strict=True) if there]
        inputs = _resident_inputs(served, partners, known, stale_before=self._stale_before())
        scored = [
            _Scored({"partner_id": p}, i, {"partner_id": p}) for p, i in zip(known, inputs, strict=True)
        ]
        results = self._decide(
            served, scored, wish, partners=partners, identity=identity, known=known, again=again
        )
        errors = [
            _unknown_partner(n, p)
            for n, (p, there) in enumerate(zip(partner_ids, seen, strict=True))
            if not there
        ]
        return {"results": [_churn_result(r) for r in results], "errors": errors}

    def churn_of_partner(self, partner_id: str, wish: Wish, *, identity: Identity) -> dict[str, Any]:
        """Churn of one known partner.

        To look again is no new decision: while nothing that went into the score has changed, the caller is
        given the decision that was recorded for it before.

        Raises:
            NotFoundError: Unknown, or another manager's: the two cannot be told apart.
        """
        answer = self._churn_of([partner_id], wish, identity=identity, again=True)
        if not answer["results"]:
            raise NotFoundError("There is no such partner.")
        result: dict[str, Any] = answer["results"][0]
        return result

    def churn_of_rows(self, rows: Sequence[Any], wish: Wish, *, identity: Identity) -> dict[str, Any]:
        """Churn of rows of features as given; nothing is looked up."""
        answer = self.rows_of_model(CHURN, rows, wish, identity=identity)
        return {**answer, "results": [_churn_result(r) for r in answer["results"]]}

    def rows_of_model(
        self, name: str, rows: Sequence[Any], wish: Wish, *, identity: Identity
    ) -> dict[str, Any]:
        """Scores of rows of features, with any model."""
        served = self._view().model(name)
        chosen_horizons(wish.horizons_days, served)
        good, bad = check_rows(rows, served.bundle.spec)
        scored = [_Scored(r.entity, Input(r.features, _moment(r), stale=False), r.sent) for r in good]
        results = self._decide(served, scored, wish, partners=None, identity=identity)
        return {"results": results, "errors": [b.as_dict() for b in bad]}

    def _decide(
        self,
        served: Served,
        scored: Sequence[_Scored],
        wish: Wish,
        *,
        partners: Partners | None,
        identity: Identity,
        known: Sequence[str] = (),
        again: bool = False,
    ) -> list[dict[str, Any]]:
        options = Options(
            horizons=chosen_horizons(wish.horizons_days, served),
            max_reasons=wish.max_reasons,
            stale_views=tuple(sorted(partners.matrix.stale_views)) if partners else (),
            stale_features=tuple(sorted(partners.matrix.stale_features)) if partners else (),
            degraded=partners.degraded if partners else False,
        )
        encoded = self._resident.take(served, partners, known) if partners and known else None
        answers = score_inputs(served, [s.row for s in scored], options, encoded=encoded)
        now = self._clock()
        kept = asdict(options)
        decisions, results = [], []
        for one, scores in zip(scored, answers, strict=True):
            decision_id = new_id("dec", at=now, random=self._random)
            response = answer_of(one.entity, scores, decision_id)
            decision = Decision(
                decision_id=decision_id,
                entity_id=one.entity,
                model=served.bundle.model,
                model_version=served.version,
                manifest_sha256=served.bundle.manifest_sha256,
                matrix_version=partners.matrix.version if partners else None,
                features_as_of=one.row.as_of,
                features=one.row.features,
                options={**kept, "stale": one.row.stale},
                request=one.sent,
                response=response,
            )
            former = self._decisions.same(decision, identity=identity) if again else None
            results.append(dict(former or response))
            decisions += [] if former else [decision]
            for score in scores.values():
                self._counted(served.bundle.model, score["evidence"])
        self._decisions.record(decisions, identity=identity, at=now)
        return results

    def _fresh(self, view: View) -> Partners:
        """The features in memory, unless there are none or they have expired."""
        if view.partners is None:
            raise UnavailableError(
                "No partner features are loaded.",
                next_step="`partnerintel features` builds them; rows of features can be scored without.",
            )
        age = self._clock() - view.partners.confirmed_at
        if view.partners.degraded and age > timedelta(hours=self._settings.snapshot_max_age_hours):
            raise UnavailableError(
                f"The feature store has been unreachable for {age.total_seconds() / 3600:.0f} hours; "
                "the last-known features have expired.",
                next_step="Bring the store back; rows of features can be scored without.",
            )
        return view.partners

    def _stale_before(self) -> datetime:
        return self._clock() - timedelta(hours=self._settings.stale_after_hours)


def answer_of(
    entity: Mapping[str, str], scores: Mapping[str, Mapping[str, Any]], decision_id: str
) -> dict[str, Any]:
    """One entry of `results`: id columns and, by horizon, the scores with their decision."""
    return {**entity, "scores": {h: {**s, "decision_id": decision_id} for h, s in scores.items()}}


def _churn_result(result: Mapping[str, Any]) -> dict[str, Any]:
    entity = next(v for k, v in result.items() if k != "scores")
    return {"partner_id": entity, "churn_probability": result["scores"]}


def _limit(identity: Identity) -> str | None:
    """The manager whose partners are visible; a channel manager without one sees nobody."""
    return (identity.manager_id or "") if identity.role == "channel_manager" else None


def _unknown_partner(number: int, partner_id: str) -> dict[str, Any]:
    fault = FieldError(f"/partner_ids/{number}", "unknown partner")
    return BadRow(number, {"partner_id": partner_id}, (fault,)).as_dict()


def _check_columns(served: Served, partners: Partners) -> None:
    if not set(served.bundle.spec.names) & set(partners.matrix.columns):
        raise MissingDataError(
            "The churn model in service works on ready-made columns, which the feature store has not.",
            next_step="Send `rows` with the columns of GET /v1/models/churn.",
        )


def _resident_inputs(
    served: Served, partners: Partners, partner_ids: Sequence[str], *, stale_before: datetime
) -> list[Input]:
    """Rows of the resident matrix as plain values, in the model's order."""
    names = served.bundle.spec.names
    columns = [partners.columns.get(name) for name in names]
    inputs = []
    for partner_id in partner_ids:
        at, place = partners.as_of[partner_id], partners.places[partner_id]
        row = {n: None if c is None else c[place] for n, c in zip(names, columns, strict=True)}
        inputs.append(Input(row, moment_text(at), stale=at < stale_before))
    return inputs


def moment_text(at: datetime) -> str:
    """RFC 3339 from a naive UTC time."""
    return at.isoformat(timespec="seconds" if at.microsecond == 0 else "microseconds") + "Z"


def _moment(row: Row) -> str | None:
    """The row's own as_of; a bare date means its midnight."""
    if row.as_of is None:
        return None
    return row.as_of if "T" in row.as_of else row.as_of + "T00:00:00Z"
