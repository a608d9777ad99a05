"""Web domains and telephone numbers made comparable."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any

from models.accounts.vocabulary import word_set

_EXTENSION = re.compile(r"(?:ext|extension|durchwahl|dw|x|#)\.?\s*\d+\s*$", re.IGNORECASE)
_TRUNK = re.compile(r"\(0\)")
LEAST_DIGITS = 6


@cache
def _extract() -> Any:
    from tldextract import TLDExtract

    # The list that comes with the package: nothing is fetched and nothing is cached on disk.
    return TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True)


@lru_cache(maxsize=1 << 16)
def registrable_domain(text: str) -> str:
    """`acme.co.uk` of `https://www.acme.co.uk/de` or `info@acme.co.uk`.

    '' for no domain, and for one that many share (mail and social platforms): it says nothing of the company.
    """
    text = text.strip().lower().rstrip("./")
    if not text or " " in text:
        return ""
    found = _extract()(text)
    if not found.domain or not found.suffix:
        return ""
    domain = f"{_decoded(found.domain)}.{found.suffix}"
    return "" if domain in word_set("shared_domains") else domain


def _decoded(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label.encode("ascii").decode("idna")
    except UnicodeError:
        return label


def domain_label(domain: str) -> str:
    """`acme` of `acme.co.uk`."""
    return domain.split(".", 1)[0]


def phone_digits(text: str) -> str:
    """Digits without trunk and international prefixes; '' when too few to tell anything."""
    digits = re.sub(r"\D", "", _TRUNK.sub("", _EXTENSION.sub("", text))).lstrip("0")
    return digits if len(digits) >= LEAST_DIGITS and len(set(digits)) > 1 else ""


def phone_key(digits: str) -> str:
    """The last seven digits, which country and area prefixes leave alone."""
    return digits[-7:]
