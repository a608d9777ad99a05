"""`python -m tests.faults`: run cases in full; rewrite evaluation/reliability.json and its page."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict

from tests.faults.harness import Row, as_line, case_ids, run_apart, run_here
from tests.faults.page import PAGE, README, REPORT, rendered, stored, with_summary


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
    keep(rows)
    return 0 if all(r.passed for r in rows) else 1


def keep(rows: Sequence[Row]) -> None:
    """Replace these rows of the report, and drop those whose case is gone."""
    known = {r.case: r for r in (*stored(), *rows)}
    every = [known[case.upper()] for case in case_ids() if case.upper() in known]
    REPORT.write_text(json.dumps([asdict(r) for r in every], indent=1, sort_keys=True) + "\n")
    PAGE.write_text(rendered(every), encoding="utf-8")
    README.write_text(with_summary(README.read_text(encoding="utf-8"), every), encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
