"""Named worlds, each with what must come of it downstream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import date
from typing import Any, Literal

from data.errors import InputError
from data.simulate.config import AnalyticConfig, RichConfig

WorldKind = Literal["rich", "analytic"]
Config = RichConfig | AnalyticConfig


def demo() -> RichConfig:
    """A partner ecosystem of 1,500 partners over 42 months: everything works, nothing is refused."""
    return RichConfig()


def analytic() -> AnalyticConfig:
    """An ecosystem whose Bayes-optimal score is known: the gate passes, and most of it is captured."""
    return AnalyticConfig()


def no_signal() -> AnalyticConfig:
    """Nothing observed says anything about the future.

    Nobody departs; orders come at one constant rate for all, so that silences fall by chance. Downstream must
    refuse promotion: "no signal", as the AUC interval contains 0.5, and keep the scorecard.
    """
    return AnalyticConfig(partners=2000, signal=0.0, hazard_daily=0.0, won_daily=0.035, registered_daily=0.0)


def leaky() -> RichConfig:
    """Columns and events that know the outcome.

    The panel `churn_panel` holds `orders_next_quarter` and `account_status_code`, filled after the outcome:
    downstream must name them as suspects and refuse promotion until confirmed. `exit_interview` events are
    recorded after departure, back-dated before it, with an honest, late `known_at`: features that obey
    `known_at` must not change at all because of them.
    """
    return RichConfig(partners=800, leaky=True)


def tiny() -> RichConfig:
    """Forty partners: too few for a model of their own; the scorecard must stay champion."""
    return RichConfig(partners=40, managers=3, accounts=400)


def tiny_analytic() -> AnalyticConfig:
    """Forty partners of the analytic world: never worse than the scorecard by more than 0.005 AUC."""
    return AnalyticConfig(partners=40)


def shifted() -> RichConfig:
    """The rules change nine months before the end: engaged partners now leave, and three times as many.

    With labels that wait 180 days, everything learnt at the last origin comes from before the change.

    A model of the past is wrong about the present. Downstream must refuse it at the last origin (not better
    than the scorecard, or badly calibrated) and report drift.
    """
    return RichConfig(shift_at=date(2026, 2, 9), shift_hazard=3.0, shift_flip=True)


def all_missing() -> RichConfig:
    """Every optional column is empty, and no survey has a score.

    Downstream must quarantine all surveys (a required value is missing), drop features without any value with
    the reason "all missing", grade the evidence accordingly, and never fail with a traceback.
    """
    return RichConfig(partners=200, all_missing=True)


def one_class() -> RichConfig:
    """Nobody ever leaves, and everybody orders all the time.

    Labels have one class: training must say so (not enough evidence) and keep the scorecard.
    """
    return RichConfig(partners=150, hazard_weekly=0.0, order_rate=12.0)


def policy_deterministic() -> RichConfig:
    """The legacy router always gives the lead to its favourite: propensity 1, no exploration.

    Off-policy evaluation of any other policy must be refused: no support.
    """
    return RichConfig(router_temperature=0.0, explore_share=0.0)


PRESETS: dict[str, dict[str, Callable[[], Config]]] = {
    "demo": {"rich": demo, "analytic": analytic},
    "analytic": {"analytic": analytic},
    "no_signal": {"analytic": no_signal},
    "leaky": {"rich": leaky},
    "tiny": {"rich": tiny, "analytic": tiny_analytic},
    "shifted": {"rich": shifted},
    "all_missing": {"rich": all_missing},
    "one_class": {"rich": one_class},
    "policy_deterministic": {"rich": policy_deterministic},
}


def config_of(preset: str, *, world: WorldKind | None, **overrides: Any) -> Config:
    """The settings of a preset with overrides; when only `end` moves, everything dated moves with it.

    Raises:
        InputError: An unknown preset, world or setting.
    """
    if preset not in PRESETS:
        raise InputError(f"There is no preset {preset!r}.", allowed=", ".join(PRESETS))
    kinds = PRESETS[preset]
    kind: str = world or next(iter(kinds))
    if kind not in kinds:
        raise InputError(f"Preset {preset!r} has no {kind!r} world.", allowed=", ".join(kinds))
    config = kinds[kind]()
    allowed = [f.name for f in fields(config)]
    unknown = sorted(set(overrides) - set(allowed))
    if unknown:
        raise InputError(f"The {kind} world has no setting {unknown[0]!r}.", allowed=", ".join(allowed))
    if "end" in overrides and "start" not in overrides:
        move = overrides["end"] - config.end
        dated = {f.name: getattr(config, f.name) for f in fields(config)}
        moved = {k: v + move for k, v in dated.items() if isinstance(v, date) and k != "end"}
        overrides = {**moved, **overrides}
    return replace(config, **overrides)
