"""First load of a model text, in a process of its own: a damaged file kills LightGBM, and whoever holds it.

Run as a script by `models.artifact`, with only what LightGBM needs: one JSON line per folder comes in on
standard input, one verdict per folder goes out. Each folder is tried in a fork, so that one death costs
neither the import nor the other folders.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

UNNEEDED = ("sklearn", "dask", "pandas", "matplotlib", "pyarrow", "graphviz", "polars")
MEMORY_BYTES = 4 << 30
TOLERANCE = 1e-9


def check(folder: Path) -> str:
    """Why the model texts of a folder cannot be trusted; empty when they can."""
    golden = json.loads((folder / "golden.json").read_text())
    for part in golden["parts"]:
        why = _check_part(folder, part)
        if why:
            return why
    return ""


def _check_part(folder: Path, part: dict[str, Any]) -> str:
    import lightgbm as lgb
    import numpy as np

    booster = lgb.Booster(model_str=(folder / part["file"]).read_text())
    inputs = np.array([[np.nan if v is None else v for v in row] for row in part["inputs"]], dtype=np.float64)
    if booster.num_feature() != part["columns"]:
        return f"{part['file']} takes {booster.num_feature()} columns, not {part['columns']}"
    inputs = inputs.reshape(-1, part["columns"])
    raw = booster.predict(inputs, raw_score=True, num_threads=1)
    if not np.allclose(raw, part["raw"], rtol=TOLERANCE, atol=TOLERANCE):
        return f"{part['file']} does not give its golden predictions"
    sums = booster.predict(inputs, pred_contrib=True, num_threads=1).sum(axis=1)
    return "" if np.allclose(sums, raw, rtol=1e-6, atol=1e-6) else f"{part['file']} does not explain itself"


def _verdict(folder: Path, timeout_seconds: float) -> str:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _report(folder, writer)
    os.close(writer)
    deadline = time.monotonic() + timeout_seconds
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        if time.monotonic() > deadline:
            os.kill(child, 9)
            os.waitpid(child, 0)
            os.close(reader)
            return f"loading did not end within {timeout_seconds:g} s"
        time.sleep(0.002)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read().decode()
    if os.WIFSIGNALED(status):
        return f"loading it died of signal {os.WTERMSIG(status)}"
    return (
        said if os.WEXITSTATUS(status) in (0, 3) and (said or not status) else "loading it ended abnormally"
    )


def _report(folder: Path, writer: int) -> None:
    """Say the verdict and leave; 3 tells a refusal from a death."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    try:
        why = check(folder)
    except BaseException as error:
        why = f"{type(error).__name__}: {str(error)[:200]}"
    os.write(writer, why.encode()[:4000])
    os._exit(3 if why else 0)


def main() -> None:
    """Try every folder named on standard input."""
    for name in UNNEEDED:
        sys.modules[name] = None  # type: ignore[assignment]
    import lightgbm  # noqa: F401

    timeout_seconds = float(sys.argv[1])
    verdicts = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # LightGBM prints to standard output
    for line in sys.stdin:
        folder = json.loads(line)
        verdicts.write(json.dumps([folder, _verdict(Path(folder), timeout_seconds)]) + "\n")
        verdicts.flush()


if __name__ == "__main__":
    main()
