"""`python -m bench`: every benchmark, each against a floor or a peer run side by side."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys

import bench
from partnerintel import environment


def main() -> None:
    """Run the benchmarks named on the command line, or all of them."""
    environment.prepare()
    environment.hush()
    os.environ["MLFLOW_LOGGING_LEVEL"] = "ERROR"  # the peer is kept the way its makers warn against
    names = sys.argv[1:] or [m.name for m in pkgutil.iter_modules(bench.__path__) if m.name != "__main__"]
    for name in names:
        print(f"== {name}", flush=True)
        importlib.import_module(f"bench.{name}").main([])


if __name__ == "__main__":
    main()
