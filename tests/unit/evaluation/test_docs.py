"""The gate's codes are documented, all of them and no others."""

import re
from pathlib import Path

from evaluation.gates import CODES

PAGE = Path(__file__).resolve().parents[3] / "docs" / "explanation" / "evaluation.md"


def test_every_gate_code_is_documented_with_its_meaning():
    rows = dict(re.findall(r"^\| (PI-G\d{3}) \| (.+?) \|", PAGE.read_text(encoding="utf-8"), flags=re.M))
    assert rows == CODES
