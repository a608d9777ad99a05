"""Web domains as people type them, made comparable without a list of suffixes."""

from __future__ import annotations

import re

_AROUND = re.compile(r"^[a-z][a-z0-9+.-]*://|[/?#\\].*$")


def bare_domain(text: str) -> str:
    """`acme.de` of `https://www.Acme.de/shop` or `info@acme.de`; '' of nothing. Subdomains stay.

    Args:
        text: As typed.
    """
    host = _AROUND.sub("", text.strip().lower()).rpartition("@")[2].partition(":")[0]
    return host.strip(".").removeprefix("www.")
