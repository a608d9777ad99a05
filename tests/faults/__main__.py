"""`python -m tests.faults`: run every case in full and rewrite evaluation/reliability.json."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from tests.faults.harness import as_line, case_ids, run_apart, run_here

REPORT = Path(__file__).resolve().parents[2] / "evaluation" / "reliability.json"


def main() -> int:
    """Run the cases that were asked for; 1 when any failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", help="identifiers such as d2; all when none is given")
    parser.add_argument("--here", metavar="CASE", help="run one case in this process and print its line")
    parser.add_argument("--full", action="store_true", help="with --here: the full size")
    given = parser.parse_args()
    if given.here:
        print(as_line(run_here(given.here, full=given.full)))
        return 0
    rows = []
    for case in given.cases or case_ids():
        rows.append(run_apart(case, full=True))
        print(as_line(rows[-1]), flush=True)
    if not given.cases:
        REPORT.write_text(json.dumps([asdict(r) for r in rows], indent=1, sort_keys=True) + "\n")
    return 0 if all(r.passed for r in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
