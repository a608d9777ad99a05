"""The artifact of a model: a folder of text and JSON, checked in a process of its own before it is loaded.

manifest.json   sha256 of every file, and the identity
bundle.json     spec, encoding, scorecard, linear part, calibrator, peers, training facts
model.txt       trees, LightGBM's own text     (absent without trees)
spread.txt      trees of the interval          (absent with little data)
golden.json     inputs with the predictions they must give
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import BundleError
from models import manifest, sandbox
from models.layout import bundle_json, from_files
from models.scoring import Bundle, Explanation, Scores

__all__ = ["Bundle", "Explanation", "Scores", "load_bundle", "save_bundle", "verify_bundles"]

CHILD_SECONDS = 60.0
START_SECONDS = 60.0
GOLDEN_TOLERANCE = 1e-9
_verified: set[str] = set()  # identities whose texts a child of this process has loaded


def save_bundle(bundle: Bundle, folder: Path) -> Bundle:
    """Write a sealed artifact; the same bundle gives the same bytes.

    Returns:
        The bundle with its identity.
    """
    files = {"bundle.json": manifest.render(bundle_json(bundle))}
    boosters = _boosters(bundle)
    files |= {name: booster.model_to_string().encode() for name, booster in boosters.items()}
    files["golden.json"] = manifest.render(_golden(bundle, boosters))
    identity = manifest.seal(Path(folder), files, model=bundle.model)
    return replace(bundle, manifest_sha256=identity)


def load_bundle(
    folder: Path, *, expected: str | None = None, timeout_seconds: float = CHILD_SECONDS
) -> Bundle:
    """A verified bundle: manifest first, then a trial in a child process, then here, then golden predictions.

    Args:
        folder: Artifact folder.
        expected: Identity on record; None: any sealed artifact.
        timeout_seconds: Longest trial.

    Raises:
        BundleError: naming the file that is damaged, foreign or does not predict what it should.
    """
    folder = Path(folder)
    identity, files = manifest.verify(folder, expected=expected)
    if identity not in _verified:
        why = _trial([folder], timeout_seconds)[folder]
        if why:
            raise _refusal(folder, why)
        _verified.add(identity)
    try:
        bundle = replace(from_files(files), manifest_sha256=identity)
        why = _golden_differences(bundle, json.loads(files["golden.json"]))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise _refusal(folder, f"bundle.json has a wrong schema ({type(error).__name__}: {error})") from error
    if why:
        raise _refusal(folder, why)
    return bundle


def verify_bundles(folders: Iterable[Path], *, timeout_seconds: float = CHILD_SECONDS) -> Mapping[Path, str]:
    """Why each folder cannot be loaded, empty when it can; one child process tries them all."""
    verdicts: dict[Path, str] = {}
    sound: dict[Path, str] = {}
    for folder in map(Path, folders):
        try:
            sound[folder], _ = manifest.verify(folder)
        except BundleError as error:
            verdicts[folder] = str(error)
    verdicts |= _trial([f for f in sound if sound[f] not in _verified], timeout_seconds)
    for folder, identity in sound.items():
        if not verdicts.setdefault(folder, ""):
            _verified.add(identity)
            verdicts[folder] = _loads(folder)
    return verdicts


def _loads(folder: Path) -> str:
    try:
        load_bundle(folder)
    except BundleError as error:
        return str(error)
    return ""


def _trial(folders: list[Path], timeout_seconds: float) -> dict[Path, str]:
    """Load each folder's texts in a child process; the verdict of each, empty when it is good."""
    if not folders:
        return {}
    # -P: the script's own folder is full of modules that are not top-level ones.
    command = [sys.executable, "-P", sandbox.__file__, str(timeout_seconds)]
    lines = "".join(json.dumps(str(f.resolve())) + "\n" for f in folders)
    # What LightGBM prints over a damaged text can be endless, and is not text: nobody reads it.
    try:
        done = subprocess.run(  # noqa: S603 — our own interpreter and script
            command, input=lines.encode(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False,
            timeout=START_SECONDS + timeout_seconds * len(folders),
        )  # fmt: skip
        said = [json.loads(line) for line in done.stdout.splitlines()]
    except (subprocess.TimeoutExpired, ValueError):
        said = []
    by_folder = {Path(name): why for name, why in said}
    return {f: by_folder.get(f.resolve(), "the trial process gave no verdict") for f in folders}


def _boosters(bundle: Bundle) -> dict[str, Any]:
    found = {"model.txt": bundle.booster, "spread.txt": bundle.spread.booster}
    return {name: booster for name, booster in found.items() if booster is not None}


def _golden(bundle: Bundle, boosters: Mapping[str, Any]) -> dict[str, Any]:
    rows = np.zeros((0, len(bundle.encoder.columns))) if bundle.examples is None else bundle.examples
    parts = []
    for name, booster in boosters.items():
        columns = booster.num_feature()
        given = _spread_grid(columns) if name == "spread.txt" else _tree_inputs(bundle, rows, columns)
        raw = booster.predict(given, raw_score=True, num_threads=1) if len(given) else []
        parts.append(
            {"file": name, "columns": columns, "inputs": _plain(given), "raw": [float(v) for v in raw]}
        )
    return {"parts": parts, "rows": _plain(rows), **_predictions(bundle, rows)}


def _tree_inputs(bundle: Bundle, rows: Any, columns: int) -> Any:
    filled = bundle.encoder.filled(rows)
    return filled if filled.shape[1] == columns else np.column_stack([filled, np.zeros(len(filled))])


def _spread_grid(columns: int) -> Any:
    """Inputs across the range of eta and of missing shares."""
    shares = np.linspace(0.0, 1.0, 16)
    return np.column_stack([np.linspace(-6.0, 3.0, 16), *[np.roll(shares, k) for k in range(columns - 1)]])


def _predictions(bundle: Bundle, rows: Any) -> dict[str, Any]:
    if not len(rows):
        return {"eta": {}, "high": {}, "contributions": []}
    scores = bundle.score(rows)
    return {
        "eta": {str(h): _plain(v) for h, v in scores.eta.items()},
        "high": {str(h): _plain(v) for h, v in scores.high.items()},
        "contributions": _plain(bundle.explain(rows).contributions),
    }


def _golden_differences(bundle: Bundle, golden: Mapping[str, Any]) -> str:
    rows = _array(golden["rows"]).reshape(-1, len(bundle.encoder.columns))
    for name, value in _predictions(bundle, rows).items():
        ours, theirs = (value, golden[name]) if isinstance(value, dict) else ({"": value}, {"": golden[name]})
        if set(ours) != set(theirs) or any(not _same(ours[k], theirs[k]) for k in ours):
            return f"golden.json: {name} differs from what the model gives"
    return ""


def _same(ours: Any, theirs: Any) -> bool:
    first, second = _array(ours), _array(theirs)
    return first.shape == second.shape and bool(
        np.allclose(first, second, rtol=GOLDEN_TOLERANCE, atol=GOLDEN_TOLERANCE, equal_nan=True)
    )


def _plain(values: Any) -> Any:
    array = np.asarray(values, dtype=np.float64)
    flat = [None if np.isnan(v) else float(v) for v in array.ravel()]
    if array.ndim == 1:
        return flat
    width = array.shape[1]
    return [flat[i * width : (i + 1) * width] for i in range(array.shape[0])]


def _array(values: Any) -> Any:
    return np.array([_numbers(row) for row in values], dtype=np.float64)


def _numbers(value: Any) -> Any:
    if isinstance(value, list):
        return [_numbers(v) for v in value]
    return np.nan if value is None else value


def _refusal(folder: Path, why: str) -> BundleError:
    name = next(
        (n for n in ("model.txt", "spread.txt", "golden.json", "bundle.json") if n in why), "model.txt"
    )
    return BundleError(
        f"Model artifact {folder.name}: {why}.",
        allowed="artifacts as `train` wrote them",
        next_step="Fetch the version again from the registry, or train anew.",
        pointer=name,
    )
