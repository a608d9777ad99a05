"""Company names without what does not tell companies apart: legal form, articles, spelling."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from models.accounts.folding import fold
from models.accounts.vocabulary import word_list, word_set

_ROMAN = {"ii": "2", "iii": "3", "iv": "4", "vi": "6", "vii": "7", "viii": "8", "ix": "9"}
_STATE = re.compile(r"\s*/\s?[A-Za-z]{2,3}\s?/?\s*$")  # "ACME CORP /DE/", as registers mark the state
_DIGITS = re.compile(r"\d+")


@cache
def legal_forms() -> frozenset[tuple[str, ...]]:
    """Every legal form as a tuple of folded words, connectives taken out."""
    from cleanco.termdata import terms_by_country, terms_by_type  # type: ignore[import-untyped]

    lists = (*terms_by_type.values(), *terms_by_country.values(), word_set("legal_forms"))
    return frozenset(form for terms in lists for term in terms if (form := _telling(fold(term).split())))


def _telling(words: list[str]) -> tuple[str, ...]:
    return tuple(w for w in words if w not in word_set("fillers")) or tuple(words)


def _without_forms(words: tuple[str, ...]) -> tuple[str, ...]:
    forms = legal_forms()
    while size := next((n for n in (4, 3, 2, 1) if n < len(words) and words[-n:] in forms), 0):
        words = words[:-size]
    return words[1:] if len(words) > 1 and words[0] in word_set("front_forms") else words


def _without_cjk_forms(text: str) -> str:
    for form in word_list("back_forms"):
        shorter = text.removeprefix(form).removesuffix(form).strip()
        text = shorter or text
    return text


@lru_cache(maxsize=1 << 16)
def core_name(name: str) -> str:
    """The words that name the company: folded, without legal form, articles and connectives.

    Roman numerals become numbers ("Fund II" is "fund 2"); a name that is only a legal form keeps it.
    """
    parts = [_ROMAN.get(w, w) for w in _telling(_without_cjk_forms(fold(_STATE.sub("", name))).split())]
    size = len(parts)
    while size > 1 and parts[size - 1].isdigit():
        size -= 1
    return " ".join((*_without_forms(tuple(parts[:size])), *parts[size:]))


def name_numbers(core: str) -> frozenset[str]:
    """Numbers in a name: "Fund 2" and "Fund 3" are two companies however alike the rest is."""
    return frozenset(n.lstrip("0") or "0" for n in _DIGITS.findall(core))
