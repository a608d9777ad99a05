"""Addresses, cities and countries made comparable."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from models.accounts.folding import fold
from models.accounts.vocabulary import word_map, word_set

_DIRECTIONS = {"north": "n", "south": "s", "east": "e", "west": "w"}
_COMPOUND = re.compile(r"(?<=\w{3})(?:strasse|straat|str|gasse|weg|platz|allee|gatan|gade|vej)$")
_ORDINAL = re.compile(r"^(\d+)(?:st|nd|rd|th)$")
_HOUSE = re.compile(r"^0*(\d{1,6})[a-z]?$")


@dataclass(frozen=True)
class Address:
    """A street address in two comparable parts.

    Attributes:
        house: House number without letter, '' when there is none.
        street: Words of the street in order, without street type, floor and the like.
    """

    house: str
    street: str


@lru_cache(maxsize=1 << 16)
def parse_address(text: str) -> Address:
    """Split an address; a post code or city inside it stays among the words of the street."""
    words = fold(text).split()
    position = next((i for i, w in enumerate(words) if _is_house(w, i)), -1)
    found = _HOUSE.match(words[position]) if position >= 0 else None
    rest = words if position < 0 else words[:position] + words[position + 1 :]
    street = (_street_word(w) for w in rest)
    return Address(found.group(1) if found else "", " ".join(w for w in street if w))


def _is_house(word: str, position: int) -> bool:
    # Five or six digits after a word are a post code; in front they are a house number on a long street.
    found = _HOUSE.match(word)
    return bool(found) and (position == 0 or len(found.group(1)) < 5)  # type: ignore[union-attr]


def _street_word(word: str) -> str:
    if word in word_set("street_types") or word in word_set("inside"):
        return ""
    if ordinal := _ORDINAL.match(word):
        return ordinal.group(1)
    return _DIRECTIONS.get(word, _COMPOUND.sub("", word))


def is_country(code: str) -> bool:
    """Whether a two-letter code, in lower case, stands for a country."""
    return len(code) == 2 and code in set(word_map("countries").values())


def country_code(text: str) -> str:
    """Two-letter code in lower case; an unknown country stays as folded text."""
    folded = fold(text)
    name = " ".join(w for w in folded.split() if w not in {"the", "of"})
    return word_map("countries").get(name, name)
