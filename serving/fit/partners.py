"""Partners there are, as company matching takes them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

COLUMNS = ("name", "domain", "country", "city")


def known_partners(lake: Path) -> Any:
    """Frame of id, name, domain, country, city: the newest version of every partner; None without a lake."""
    from data.lake import Lake

    found = Lake(lake)
    if not lake.is_dir() or not found.has("partners"):
        return None
    return _read(lake, tuple(str(p) for p in found.paths("partners")))


@lru_cache(maxsize=2)
def _read(lake: Path, _files: tuple[str, ...]) -> Any:
    """Read once for each set of files."""
    from data.lake import Lake

    rows = Lake(lake).read("partners").sort_values(["partner_id", "known_at", "row_hash"])
    rows = rows.drop_duplicates("partner_id", keep="last")
    rows = rows[rows["name"].notna() | rows["domain"].notna()]
    found = rows[["partner_id", *COLUMNS]].rename(columns={"partner_id": "id"})
    found["name"] = found["name"].where(found["name"].notna(), found["domain"])
    return found.reset_index(drop=True)
