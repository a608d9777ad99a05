"""Text made comparable: one alphabet, one case, no accents, no punctuation."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_LETTERS = {
    "ß": "ss", "ø": "o", "æ": "a", "œ": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i",
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ж": "zh", "з": "z", "и": "i", "й": "i",
    "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u",
    "ф": "f", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "", "ы": "y", "ь": "",
    "э": "e", "ю": "iu", "я": "ia", "і": "i", "є": "ie", "ґ": "g",
    "α": "a", "β": "v", "γ": "g", "δ": "d", "ε": "e", "ζ": "z", "η": "i", "θ": "th", "ι": "i", "κ": "k",
    "λ": "l", "μ": "m", "ν": "n", "ξ": "x", "ο": "o", "π": "p", "ρ": "r", "σ": "s", "ς": "s", "τ": "t",
    "υ": "y", "φ": "f", "χ": "ch", "ψ": "ps", "ω": "o",
}  # fmt: skip
_TABLE = str.maketrans(_LETTERS)
# "ue" for "ü" and the like: both spellings, and the one without dots, become one letter.
_DIGRAPHS = re.compile(r"(?<=[^\W\d_])(?:ae|oe|ue)|^(?:ae|oe|ue)|(?<=\W)(?:ae|oe|ue)")
_JOINED = re.compile(r"(?<=\w)['’`´.](?=\w)|(?<=\b\w)\.(?=\W|$)|['’`´]")
_OTHER = re.compile(r"[\W_]+")
_INITIALS = re.compile(r"\b(?:[a-z] )+[a-z]\b")


@lru_cache(maxsize=1 << 16)
def fold(text: str) -> str:
    """Lower-case Latin words and numbers, separated by single spaces.

    Accents go, Cyrillic and Greek are transliterated, "Mueller", "Müller" and "Muller" become one word and
    single letters are joined ("S.p.A." is "spa", "L. B. Foster" is "lb foster"). Other scripts are kept.
    """
    plain = unicodedata.normalize("NFKD", text.casefold().translate(_TABLE))
    plain = "".join(c for c in plain if not unicodedata.combining(c)).translate(_TABLE)
    plain = _OTHER.sub(" ", _JOINED.sub("", plain)).strip()
    plain = _INITIALS.sub(lambda found: found.group().replace(" ", ""), plain)
    return _DIGRAPHS.sub(lambda found: found.group()[0], plain)
