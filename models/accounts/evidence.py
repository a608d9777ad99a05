"""Why two records look like one company, or not, in plain words."""

from __future__ import annotations

from collections.abc import Callable

from models.accounts.compare import SIGNS, Floats
from models.accounts.records import Records

ALIKE = 0.55
CONTAINED = 0.95
SAME_STREET = 0.85
_Sentence = Callable[[Records, int, Records, int], str]


def _two(column: str, words: str) -> _Sentence:
    def sentence(left: Records, i: int, right: Records, j: int) -> str:
        return f"{words}: '{left.raw[column][i]}' / '{right.raw[column][j]}'"

    return sentence


def _same_domain(left: Records, i: int, _right: Records, _j: int) -> str:
    return f"same web domain {left.domain[i]}"


def _domains(words: str) -> _Sentence:
    def sentence(left: Records, i: int, right: Records, j: int) -> str:
        return f"{words}: {left.domain[i]} / {right.domain[j]}"

    return sentence


# Signs that are yes or no: a sentence each; the order is the order of telling.
_SENTENCES: tuple[tuple[str, _Sentence], ...] = (
    ("domain_same", _same_domain),
    ("label_same", _domains("same domain name under another ending")),
    ("name_is_domain", _two("name", "the name of one is the web domain of the other")),
    ("phone_same", _two("phone", "same telephone number")),
    ("phone_near", _two("phone", "telephone numbers of one switchboard")),
    ("city_same", _two("city", "same city")),
)
_AGAINST: tuple[tuple[str, _Sentence], ...] = (
    ("name_unlike", _two("name", "names have nothing in common")),
    ("name_numbers_differ", _two("name", "numbers in the names differ")),
    ("domain_differs", _domains("different web domains")),
    ("phone_differs", _two("phone", "different telephone numbers")),
    ("house_differs", _two("address", "different house numbers")),
    ("city_differs", _two("city", "different cities")),
    ("country_differs", _two("country", "different countries")),
)


def explain_pair(signs: Floats, left: Records, i: int, right: Records, j: int) -> tuple[str, ...]:
    """Sentences for one pair: what speaks for one company first, then what speaks against.

    Args:
        signs: (len(SIGNS),) row of the pair.
        left: Records of the first.
        i: Its position.
        right: Records of the second.
        j: Its position.
    """
    shown = dict(zip(SIGNS, signs.tolist(), strict=True))
    told = [_name_sentence(shown, left, i, right, j)]
    told += [say(left, i, right, j) for sign, say in _SENTENCES if shown[sign]]
    if shown["house_same"] and shown["street_alike"] >= SAME_STREET:
        told.append(_two("address", "same address")(left, i, right, j))
    told += [say(left, i, right, j) for sign, say in _AGAINST if shown[sign]]
    return tuple(t for t in told if t)


def _name_sentence(shown: dict[str, float], left: Records, i: int, right: Records, j: int) -> str:
    if shown["name_same"]:
        words = "same name" if left.raw["name"][i] == right.raw["name"][j] else "names alike"
    elif shown["name_letters"] >= ALIKE:
        words = "names alike"
    elif shown["name_contained"] >= CONTAINED:
        words = "one name contains the other"
    else:
        return ""
    return _two("name", words)(left, i, right, j)
