"""Uploaded lists: read as the text they hold, columns recognised, written back so that no cell runs."""

from data.spreadsheet.export import write_table
from data.spreadsheet.headers import HeaderMatch, apply_mapping, known_fields, propose_mapping
from data.spreadsheet.reading import read_table
from data.spreadsheet.table import Limits, RowFault, TextTable

__all__ = [
    "HeaderMatch",
    "Limits",
    "RowFault",
    "TextTable",
    "apply_mapping",
    "known_fields",
    "propose_mapping",
    "read_table",
    "write_table",
]
