"""Every check on incoming data: its code, what it means and what to do; see docs/reference/checks.md."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from data.errors import DataError, MissingDataError

Severity = Literal["error", "warning"]
Outcome = Literal["refused", "quarantined", "kept"]
PAGE = "docs/reference/checks.md"


@dataclass(frozen=True)
class Check:
    """One rule.

    Attributes:
        code: PI-D and three digits; never reused.
        severity: `error` when a table is refused or a row quarantined, `warning` when the data is kept.
        outcome: What happens to the data.
        title: A few words.
        remedy: What to do.
    """

    code: str
    severity: Severity
    outcome: Outcome
    title: str
    remedy: str

    @property
    def anchor(self) -> str:
        """Where the check is documented."""
        return f"{PAGE}#{self.code.lower()}"


@dataclass(frozen=True)
class Finding:
    """One thing a check found.

    Attributes:
        code: Code of the check.
        severity: error or warning.
        table: Canonical table, or name of the snapshot's model.
        row: Line of the CSV file (the header is line 1) or row of the query or Parquet file (the first is 1);
            None when the whole table is meant.
        field: Canonical column, or '' when the whole row is meant.
        reason: What is wrong, in words.
        given: The raw value.
        anchor: Page and anchor that explain the check.
        file: File or query the row came from.
    """

    code: str
    severity: Severity
    table: str
    row: int | None
    field: str
    reason: str
    given: str
    anchor: str
    file: str = ""


def _refused(number: int, title: str, remedy: str) -> Check:
    return Check(f"PI-D{number:03}", "error", "refused", title, remedy)


def _row(number: int, title: str, remedy: str) -> Check:
    return Check(f"PI-D{number:03}", "error", "quarantined", title, remedy)


def _note(number: int, title: str, remedy: str) -> Check:
    return Check(f"PI-D{number:03}", "warning", "kept", title, remedy)


_ALL = (
    _refused(1, "File not found", "Check `path:` and `root:`; globs must match at least one file."),
    _refused(2, "File or query result is empty", "Export the data again; a header alone is not enough."),
    _refused(
        3,
        "Text cannot be decoded, or the file is not text",
        "Save as UTF-8 CSV or Parquet, or name the `encoding:`.",
    ),
    _refused(
        4, "A quote is opened and never closed", 'Close the quote on that line; inside text, double it ("").'
    ),
    _refused(5, "Column is missing", "Correct the name under `columns:`, or take the line out."),
    _refused(6, "Required column is not mapped", "Map it under `columns:`, or give it under `constants:`."),
    _refused(7, "Column name appears twice", "Rename one of the columns in the file."),
    _refused(8, "Dates can be read in two ways", "Say which under `dates:`, such as [DD/MM/YYYY]."),
    _refused(9, "Numbers can be read in two ways", 'Say which under `decimal:`, "." or ",".'),
    _refused(10, "The source cannot be queried", "Run the SQL there by hand; check `sources:` and `where:`."),
    _refused(11, "Column has a type that cannot become the one needed", "Convert it in a `query:`."),
    _row(20, "Row has too many or too few fields", "Quote text that holds the separator; mend the row."),
    _row(21, "Quotes are malformed", 'Inside quoted text, double every quote ("").'),
    _row(22, "Required value is missing", "Fill it, or leave the row out with `where:`."),
    _row(23, "Not a number", "Write digits with one decimal sign, no currency or unit."),
    _row(24, "Not a whole number", "Round it, or map another column."),
    _row(25, "Not a date", "Write YYYY-MM-DD, or name the format under `dates:`."),
    _row(26, "Not yes or no", "Write true/false, yes/no or 1/0."),
    _row(27, "Value is not among those allowed", "Translate it in a `query:` or with `constants:`."),
    _row(28, "Number is out of range", "Correct the value."),
    _row(29, "Dated in the future", "Correct the clock or the time zone; times are UTC."),
    _row(30, "Unknown partner", "Add the partner to the partners table, then ingest again."),
    _row(
        31, "Identifier is not exact", "Store it as text or a whole number, not as a floating point number."
    ),
    _row(32, "Date is out of range", "Use a year from 1900 to 2261; leave 'never' empty."),
    _note(40, "Rows repeated exactly", "Nothing: they count once."),
    _note(41, "Keys with several versions", "Nothing, when these are corrections; else make the key unique."),
    _note(42, "All values are missing", "Take the column out of the mapping, or fill it."),
    _note(43, "Text is not UTF-8; another encoding was taken", "Name the `encoding:`, or save as UTF-8."),
    _note(44, "Table is not checked against partners", "Map the partners table."),
    _note(
        45,
        "Rows without `known_at` correct earlier ones, from now on",
        "Nothing, when the source changed. When the mapping did, move `lake/` away and ingest again, so that "
        "earlier dates are read with it too; what came over HTTP is in it as well.",
    ),
    _note(46, "`where:` left out every row", "Run the condition by hand; CSV columns are text."),
    _refused(60, "Label has one class only", "Add rows with the other outcome; check `positive:`."),
    _refused(61, "Entity appears twice at one date", "Keep one row for each entity and as_of."),
    _refused(62, "Label cannot be read", "Use 0/1, true/false, yes/no, numbers, or give `positive:`."),
    _refused(63, "No column is left to learn from", "Map more columns, or drop fewer as `post_outcome`."),
    _note(64, "Rows without a label", "Nothing: they are scored, and not learned from."),
    _note(65, "Column is not used", "Nothing, unless it should be: see the reason."),
    _note(66, "as_of holds a time of day", "Nothing: the day counts, from midnight UTC."),
)
CHECKS: dict[str, Check] = {check.code: check for check in _ALL}


def finding(
    code: str,
    table: str,
    *,
    reason: str,
    row: int | None = None,
    field: str = "",
    given: str = "",
    file: str = "",
) -> Finding:
    """A finding of the check with that code."""
    check = CHECKS[code]
    return Finding(code, check.severity, table, row, field, reason, given, check.anchor, file)


def refusal(
    code: str, message: str, *, allowed: str = "", next_step: str = "", pointer: str = ""
) -> DataError:
    """The error that refuses a whole table, with the code of the check and its remedy.

    Args:
        code: Code of the check.
        message: What happened, with the value given; without a full stop.
        allowed: What would have been acceptable.
        next_step: What to do; '' takes the remedy of the check.
        pointer: `table.column` of the culprit.
    """
    check = CHECKS[code]
    kind = MissingDataError if code in ("PI-D005", "PI-D006") else DataError
    return kind(f"{message} ({code}).", allowed=allowed, next_step=next_step or check.remedy, pointer=pointer)


def join_refusals(refusals: Iterable[DataError]) -> DataError:
    """One error for several tables, so that all faults can be mended at once."""
    faults = list(refusals)
    if len(faults) == 1:
        return faults[0]
    lines = "\n".join(f"  {number}. {fault}" for number, fault in enumerate(faults, 1))
    return DataError(f"{len(faults)} tables cannot be used, and nothing was ingested:\n{lines}")


def checks_page() -> str:
    """The text of docs/reference/checks.md."""
    outcomes = {
        "refused": "the whole input is refused and nothing is written",
        "quarantined": "the row goes to `lake/quarantine/`, with its number, field, reason and raw value",
        "kept": "the data is kept, and the report says so",
    }
    lines = [
        "# Checks on incoming data",
        "",
        "Every check has a code. Codes are never reused. This page is written from `data/checks.py`;",
        "a test compares the two.",
        "",
    ]
    for check in CHECKS.values():
        lines += [
            f'<a id="{check.code.lower()}"></a>',
            f"## {check.code}",
            "",
            f"**{check.title}** ({check.severity}): {outcomes[check.outcome]}.",
            "",
            f"What to do: {check.remedy}",
            "",
        ]
    return "\n".join(lines)
