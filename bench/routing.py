"""Routing one lead among N partners with reasons for five: the whole service beside a hand-written handler.

Both are ASGI applications in this process, asked in turn with the same leads and the same two models. Ours
checks key and strict JSON, applies the rules, takes capacity, keeps the decision with all candidates and can
make it again; the peer scores with LightGBM, explains five with `pred_contrib` and forgets. MLflow's own
scoring server gets the finished matrix and only scores. Figures are processor time; the ratios count.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

CANDIDATES = (200, 1_000, 5_000, 20_000)
TOP = 5
SHAPES: dict[str, dict[str, Any]] = {
    "reference, 300 trees x 31 leaves": {"trees": 300, "num_leaves": 31, "max_depth": -1, "linear": False},
    "as shipped, 200 trees of depth 3 and a linear part": {
        "trees": 200, "num_leaves": 8, "max_depth": 3, "linear": True,
    },
}  # fmt: skip


class Money(BaseModel):
    """The peer's request."""

    amount: str
    currency: str


class Lead(BaseModel):
    """The peer's request."""

    lead_id: str
    country: str
    region: str
    industry: str
    employee_count: int
    products: list[str]
    estimated_value: Money
    top_k: int


def main(argv: Sequence[str]) -> None:
    """Print the tables. `--rounds` sets the interleaved rounds, `--most` the greatest N."""
    parser = argparse.ArgumentParser(prog="python -m bench routing")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--most", type=int, default=CANDIDATES[-1])
    parser.add_argument("--mlflow", action=argparse.BooleanOptionalAction, default=True)
    args = parser.parse_args(list(argv))
    for name, shape in SHAPES.items():
        print(f"\n{name}")
        print("      N   peer ms   mlflow ms   ours ms   of peer   of mlflow   scoring ms   overhead ms")
        for count in (n for n in CANDIDATES if n <= args.most):
            _compare(count, shape, rounds=args.rounds, mlflow=args.mlflow)


def _compare(count: int, shape: dict[str, Any], *, rounds: int, mlflow: bool) -> None:
    from serving.api import create_app
    from serving.guard import Guard
    from tests.unit.routing.shop import shop

    bundles = {n: bundle(n, **shape) for n in ("routing_accept", "routing_win")}
    with (
        tempfile.TemporaryDirectory(prefix="bench-routing-") as folder,
        shop(Path(folder), partners=count, capacity=10**6) as made,
    ):
        serve(made, bundles)
        runtime = made.runtime
        guarded = Guard(create_app(lambda: runtime.use_cases), keep=lambda: runtime.keep)
        peer, matrix = handler(made, bundles)
        contenders: dict[str, Callable[[int], Any]] = {
            "peer": lambda n: _ask(peer, "/route", lead(n), {}),
            "ours": lambda n: _ask(guarded, "/v1/leads/route", lead(n), headers(made, n)),
        }
        if mlflow:
            scorer, body = mlflow_scorer(bundles["routing_win"], matrix)
            contenders["mlflow"] = lambda _: _ask(scorer, "/invocations", body, {})
        # One event loop for all: a new one for each request would start new threads each time.
        figures = asyncio.run(_interleaved(contenders, rounds=rounds))
        scoring = statistics.median(_cpu(lambda: _decide(made)) for _ in range(rounds))
    ours, other, served = figures["ours"], figures["peer"], figures.get("mlflow", float("nan"))
    print(
        f"{count:>7,} {1e3 * other:>9.1f} {1e3 * served:>11.1f} {1e3 * ours:>9.1f} {ours / other:>8.2f}x"
        f" {ours / served:>10.2f}x {1e3 * scoring:>12.1f} {1e3 * (ours - scoring):>13.1f}",
        flush=True,
    )


def bundle(name: str, *, trees: int, num_leaves: int, max_depth: int, linear: bool) -> Any:
    """A model of that shape on pairs of invented partners and leads."""
    import lightgbm

    from tests.unit.routing.shop import pair_bundle, pair_rows

    base = pair_bundle(name)
    encoder = base.encoder
    rng = np.random.default_rng(1)
    rows = encoder.filled(encoder.encode(pair_rows(20_000, seed=2)[0]))
    # Every column tells something. Models trained on simulated worlds split on the pair in 17 % (acceptance)
    # and 31 % (winning) of their nodes, on the partner in most; these here in somewhat more.
    known = np.nan_to_num((rows - np.nanmean(rows, axis=0)) / np.nanstd(rows, axis=0)).clip(-3, 3)
    eta = 0.6 * known.sum(axis=1) + (known * np.roll(known, 1, axis=1)).sum(axis=1) - 1
    y = (rng.random(len(rows)) < 1 / (1 + np.exp(-eta))).astype(float)
    options = {"objective": "binary", "learning_rate": 0.05, "verbose": -1, "num_threads": 1, "seed": 1,
               "num_leaves": num_leaves, "max_depth": max_depth}  # fmt: skip
    booster = lightgbm.train(options, lightgbm.Dataset(rows, y), trees)
    assert base.terms.boosted is not None
    terms = replace(
        base.terms,
        boosted=replace(base.terms.boosted, booster=booster),
        **({} if linear else {"linear": None}),
    )
    return replace(base, terms=terms, manifest_sha256=f"{name}-{trees}-{num_leaves}".ljust(64, "0"))


def serve(made: Any, bundles: dict[str, Any]) -> None:
    """Put the models in service and let everybody be eligible; keys are told by their owner."""
    from serving.view import Served

    made.see(models={n: Served(b, "1", "registry") for n, b in bundles.items()})
    made.policy(require_territory=False, relationship="ignore")


def headers(made: Any, n: int) -> dict[str, str]:
    """A key for the service, and a new idempotency key."""
    import os

    from serving.auth import create_key

    if not hasattr(made, "key"):
        database = made.runtime.shared.database
        made.key = create_key(database, owner="bench", role="prm", now=made.clock.at, random=os.urandom)
    return {"authorization": f"Bearer {made.key}", "idempotency-key": f"{n}-{time.perf_counter_ns()}"}


def lead(n: int) -> dict[str, Any]:
    """A new lead as the contract has it."""
    return {
        "lead_id": f"B{n}-{time.perf_counter_ns()}", "country": "DE", "region": "BY", "industry": "retail",
        "employee_count": 20 + n % 900, "products": [("cloud", "backup", "edge")[n % 3]],
        "estimated_value": {"amount": str(1000 + n), "currency": "USD"}, "top_k": TOP,
    }  # fmt: skip


def _decide(made: Any) -> Any:
    """The decision alone: rules, scores, choice, reasons."""
    from models.routing.eligibility import Standing
    from serving.routing.deciding import decide

    routing = made.routing.routing
    wanted = made.lead(top_k=TOP)
    ready = routing.ready()
    parts = routing.drafter.parts(ready, wanted.lead.lead_id, now=made.clock.at)
    situation = routing.drafter.situation(ready, parts, wanted, Standing.idle(), now=made.clock.at)
    return decide(parts, situation)


def handler(made: Any, bundles: dict[str, Any]) -> tuple[Any, Any]:
    """What one writes by hand: a FastAPI handler over a resident matrix; and the matrix of one lead."""
    from fastapi import FastAPI

    answer, matrices = by_hand(made, bundles)
    app = FastAPI()

    @app.post("/route")
    def route(body: Lead) -> dict[str, Any]:
        return answer({**body.model_dump(), "estimated_value_usd": float(body.estimated_value.amount)})

    return app, matrices({**lead(1), "estimated_value_usd": 1000.0})["win"]


def by_hand(made: Any, bundles: dict[str, Any]) -> tuple[Callable[[dict[str, Any]], Any], Any]:
    """Routing a lead with LightGBM and `pred_contrib`, and the matrices it scores."""
    from features.pairing import lead_block, lead_columns, pair_columns

    ready = made.routing.feed.ready()
    block, models = ready.block, {"accept": ready.accept, "win": ready.win}
    everybody = np.arange(len(block.roster))
    ids = block.partner_ids
    terms = {n: bundles[f"routing_{n}"].terms for n in models}

    def chances(name: str, full: Any) -> Any:
        part = terms[name]
        raw = part.boosted.booster.predict(full, raw_score=True, num_threads=1)
        eta = part.intercept + part.boosted.weight * raw
        return 1 / (1 + np.exp(-(eta + part.linear.eta(full) if part.linear else eta)))

    def matrices(lead: dict[str, Any]) -> dict[str, Any]:
        pair = pair_columns(lead_block([lead], block.pairs), 0, block.pairs, everybody)
        values = lead_columns(lead)
        return {n: m.matrix(values, pair, everybody) for n, m in models.items()}

    def answer(lead: dict[str, Any]) -> dict[str, Any]:
        full = matrices(lead)
        win = chances("win", full["win"])
        gain = chances("accept", full["accept"]) * win
        best = np.argpartition(-gain, TOP)[:TOP]
        best = best[np.argsort(-gain[best])]
        booster = terms["win"].boosted.booster
        why = booster.predict(full["win"][best], pred_contrib=True, num_threads=1)
        strongest = np.argsort(-np.abs(why[:, :-1]), axis=1)[:, :10]
        return {
            "offered_to": ids[best[0]],
            "matches": [
                {"partner_id": ids[b], "win": float(win[b]), "gain": float(gain[b]),
                 "reasons": {int(c): float(why[k, c]) for c in strongest[k]}}
                for k, b in enumerate(best)
            ],
        }  # fmt: skip

    return answer, matrices


def mlflow_scorer(bundle: Any, matrix: Any) -> tuple[Any, dict[str, Any]]:
    """MLflow's scoring server with the winning model, and a request that posts the whole matrix."""
    import mlflow.pyfunc
    from mlflow.pyfunc import scoring_server

    booster = bundle.terms.boosted.booster

    class Scorer(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
        def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
            del context, params
            return booster.predict(np.asarray(model_input, dtype=float), raw_score=True, num_threads=1)

    folder = tempfile.mkdtemp(prefix="bench-mlflow-")
    mlflow.pyfunc.save_model(f"{folder}/model", python_model=Scorer(), pip_requirements=[])
    app = scoring_server.init(mlflow.pyfunc.load_model(f"{folder}/model"))
    columns = [f"c{i}" for i in range(matrix.shape[1])]
    data = [[None if v != v else v for v in row] for row in matrix.tolist()]
    return app, {"dataframe_split": {"columns": columns, "data": data}}


async def _ask(app: Any, path: str, body: dict[str, Any], headers: dict[str, str]) -> bytes:
    """One request straight into an ASGI application; anything but 200 is a failure."""
    content = json.dumps(body).encode()
    given = {"content-type": "application/json", "content-length": str(len(content)), **headers}
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": path,
        "raw_path": path.encode(), "query_string": b"", "root_path": "", "scheme": "http",
        "headers": [(k.encode(), v.encode()) for k, v in given.items()],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {},
    }  # fmt: skip
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    assert sent[0]["status"] == 200, sent
    return b"".join(m.get("body", b"") for m in sent[1:])


async def _interleaved(contenders: dict[str, Callable[[int], Any]], *, rounds: int) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for n in range(rounds + 2):
        for name, ask in contenders.items():
            begun = time.process_time()
            await ask(n)
            if n >= 2:
                taken[name].append(time.process_time() - begun)
    return {name: statistics.median(times) for name, times in taken.items()}


def _cpu(work: Callable[[], Any]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
