"""Small frames of companies for the tests."""

from __future__ import annotations

from typing import Any

import pandas as pd

FIELDS = ("id", "name", "domain", "country", "city", "address", "phone")


def companies(*rows: dict[str, Any]) -> pd.DataFrame:
    """A frame of companies; ids are counted up where not given."""
    filled = [{"id": f"r{n:02}", **row} for n, row in enumerate(rows)]
    return pd.DataFrame(filled, columns=list(FIELDS))


BUSINESS = companies(
    {"name": "Acme GmbH", "domain": "https://www.acme.com/de", "country": "DE", "city": "Köln"},
    {"name": "ACME", "domain": "info@acme.com", "country": "Germany", "city": "Koeln"},
    {"name": "Müller AG", "address": "Hauptstraße 12a", "phone": "+49 (0)30 1234567"},
    {"name": "Mueller", "address": "Hauptstr. 12", "phone": "030/1234567"},
    {"name": "Northwind Traders Ltd", "address": "12 High Street", "city": "Leeds"},
    {"name": "Contoso AG", "address": "12 High Street", "city": "Leeds"},
    {"name": "Aurora Capital Fund II"},
    {"name": "Aurora Capital Fund III"},
    {"name": "globex.io"},
    {"name": "Globex Ltd", "domain": "globex.io"},
    {"name": "Initech", "country": "US"},
    {"name": "Initech", "country": "FR"},
    {"name": "Иннотех ООО"},
    {"name": "Innotekh"},
)
