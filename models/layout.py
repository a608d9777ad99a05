"""A bundle as plain values, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from models.calibration import LINKS, Affine
from models.doubt import Doubt
from models.encoding import Encoder
from models.experience import Experience
from models.peers import Peers
from models.scorecard import Scorecard
from models.scoring import Bundle
from models.spec import ModelSpec
from models.spread import Spread
from models.terms import BoostTerm, LinearTerm, PriorTerm, Scaling, Terms

FORMAT = 1
KEYS = {
    "format", "model", "kind", "link", "labelled", "spec", "encoder", "terms", "calibrator", "horizons",
    "spread", "peers", "trained",
}  # fmt: skip


def bundle_json(bundle: Bundle) -> dict[str, Any]:
    """Everything but the trees."""
    return {
        "format": FORMAT,
        "model": bundle.model,
        "kind": bundle.kind,
        "link": bundle.link,
        "labelled": bundle.labelled,
        "spec": bundle.spec.to_json(),
        "encoder": bundle.encoder.to_json(),
        "terms": _terms_json(bundle.terms),
        "calibrator": {"a": bundle.calibrator.a, "b": bundle.calibrator.b},
        "horizons": {str(h): float(c) for h, c in bundle.horizons.items()},
        "spread": {
            "constant": bundle.spread.constant,
            "missing": bundle.spread.missing,
            "doubt": bundle.spread.doubt.to_json(),
        },
        "peers": {"by": bundle.peers.by, "medians": bundle.peers.medians, "shares": bundle.peers.shares},
        "trained": dict(bundle.trained),
        **({"experience": bundle.experience.to_json()} if bundle.experience else {}),
    }


def from_files(files: Mapping[str, bytes]) -> Bundle:
    """The bundle of verified files; KeyError, TypeError or ValueError on a wrong schema."""
    value = json.loads(files["bundle.json"])
    if set(value) - {"experience"} != KEYS or value["format"] != FORMAT:
        raise ValueError(f"bundle.json is not of format {FORMAT}")
    if value["link"] not in LINKS or value["kind"] not in ("boosted", "scorecard"):
        raise ValueError(f"unknown link {value['link']!r} or kind {value['kind']!r}")
    spec = ModelSpec.from_json(value["spec"])
    encoder = Encoder.from_json(value["encoder"], spec)
    rows = json.loads(files["golden.json"])["rows"]
    examples = np.array([[np.nan if v is None else v for v in r] for r in rows], dtype=np.float64)
    return Bundle(
        model=value["model"],
        kind=value["kind"],
        spec=spec,
        terms=_terms(value["terms"], encoder, files),
        calibrator=_affine(value["calibrator"]),
        horizons={int(h): float(c) for h, c in sorted(value["horizons"].items(), key=lambda i: int(i[0]))},
        link=value["link"],
        spread=_spread(value["spread"], _booster(files.get("spread.txt"))),
        peers=Peers(**value["peers"]),
        trained=value["trained"],
        labelled=bool(value["labelled"]),
        examples=examples.reshape(-1, len(encoder.columns)),
        experience=Experience.from_json(value["experience"], width=len(encoder.columns))
        if "experience" in value
        else None,
    )


def _spread(value: Mapping[str, Any], booster: Any) -> Spread:
    # Bundles of before the calibrator's doubt was kept have none, and score as they did.
    return Spread(value["constant"], value["missing"], booster, Doubt(**value.get("doubt", {})))


def _terms_json(terms: Terms) -> dict[str, Any]:
    prior, linear, boosted = terms.prior, terms.linear, terms.boosted
    return {
        "intercept": terms.intercept,
        "prior": prior
        and {
            "scorecard": prior.scorecard.model_dump(by_alias=True, exclude_defaults=True),
            "columns": list(prior.columns),
            "affine": {"a": prior.affine.a, "b": prior.affine.b},
            "centres": list(prior.centres),
            "spans": [[list(place) for place in span] for span in prior.spans],
        },
        "linear": linear
        and {
            "logged": list(linear.scaling.logged),
            "mean": list(linear.scaling.mean),
            "scale": list(linear.scaling.scale),
            "coefficients": list(linear.coefficients),
            "tilts": list(linear.tilts),
        },
        "boosted": boosted and {"weight": boosted.weight, "timed": boosted.timed},
    }


def _terms(value: Mapping[str, Any], encoder: Encoder, files: Mapping[str, bytes]) -> Terms:
    width = len(encoder.columns)
    prior, linear, boosted = value["prior"], value["linear"], value["boosted"]
    if prior and not all(0 <= c < width for c in prior["columns"]):
        raise ValueError("the scorecard points at columns that are not there")
    if linear and any(len(linear[k]) != width for k in ("logged", "mean", "scale", "coefficients")):
        raise ValueError("the linear part has another number of columns")
    if linear and linear["tilts"] and (not prior or len(linear["tilts"]) != len(prior["columns"])):
        raise ValueError("the linear part tilts criteria that are not there")
    card = None
    if prior:
        scorecard = Scorecard.model_validate(prior["scorecard"])
        spans = tuple(tuple((int(i), float(c)) for i, c in span) for span in prior.get("spans", ()))
        if any(not 0 <= i < width for span in spans for i, _ in span):
            raise ValueError("the scorecard points at columns that are not there")
        card = PriorTerm(
            scorecard, tuple(prior["columns"]), _affine(prior["affine"]), tuple(prior["centres"]), spans
        )
    straight = None
    if linear:
        scaling = Scaling(tuple(linear["logged"]), tuple(linear["mean"]), tuple(linear["scale"]))
        straight = LinearTerm(scaling, tuple(linear["coefficients"]), tuple(linear["tilts"]), card)
    trees = None
    if boosted:
        trees = BoostTerm(_booster(files["model.txt"]), float(boosted["weight"]), bool(boosted["timed"]))
    terms = Terms(encoder, float(value["intercept"]), card, straight, trees)
    if terms.boosted and terms.boosted.booster.num_feature() != width + int(terms.boosted.timed):
        raise ValueError("model.txt has another number of columns")
    return terms


def _affine(value: Mapping[str, Any]) -> Affine:
    return Affine(float(value["a"]), float(value["b"]))


def _booster(text: bytes | None) -> Any:
    if text is None:
        return None
    import lightgbm as lgb

    return lgb.Booster(model_str=text.decode())
