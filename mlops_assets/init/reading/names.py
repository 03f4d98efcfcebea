"""A column's name as people wrote it -> one that is safe in code, in a URL and in a metric."""

import re
import unicodedata
from collections.abc import Iterable

_GERMAN = str.maketrans(
    {
        "ä": "ae",
        "ö": "oe",
        "ü": "ue",
        "ß": "ss",
        "æ": "ae",
        "ø": "oe",
        "å": "aa",
        "œ": "oe",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
    }
)
_PAIRS = ["zh", "kh", "ts", "ch", "sh", "shch", "", "", "yu", "ya", "ye", "th", "ch", "ps"]
_CYRILLIC_AND_GREEK = str.maketrans(
    {
        **dict(zip("абвгґдезиіклмнопрстуфыэ", "abvggdeziiklmnoprstufye", strict=True)),
        **dict(zip("αβγδεζηικλμνξοπρσςτυφω", "avgdeziiklmnxoprsstyfo", strict=True)),
        **dict(zip("жхцчшщъьюяєθχψ", _PAIRS, strict=True)),
    }
)
"""Without letters that have an accent, which is taken off first."""
_RESERVED = {
    *("row", "reason"),  # the quarantine's own columns
    *("event_timestamp", "prediction"),  # beside features in a training row, in a drift report
    *("probabilities", "features_as_of", "error"),  # in an answer, beside the entity
}
LONGEST = 50


def safe_names(sources: Iterable[str]) -> dict[str, str]:
    """Source name -> `^[a-z][a-z0-9_]*$`, each another one.

    `mean radius` -> `mean_radius`, `userId` -> `user_id`, `Größe (cm)` -> `groesse_cm`, `возраст`
    -> `vozrast`; of other letters than Latin, Cyrillic and Greek nothing is left but the place,
    `column_7`. What is safe already keeps its name, wherever it stands.
    """
    placed = list(enumerate(sources, start=1))
    placed.sort(key=lambda one: safe_name(one[1]) != one[1])
    found: dict[str, str] = {}
    for place, source in placed:
        name = safe_name(source) or f"column_{place}"
        name = f"{name}_value" if name in _RESERVED else name
        number, unique = 2, name
        while unique in found.values():
            unique, number = f"{name}_{number}", number + 1
        found[source] = unique
    return {source: found[source] for _, source in sorted(placed)}


def safe_name(source: str) -> str:
    """The letters and digits of a name, in lower case and Latin; may be empty."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])", "_", source)
    folded = unicodedata.normalize("NFC", apart).casefold().translate(_GERMAN)
    apart = unicodedata.normalize("NFKD", folded).translate(_CYRILLIC_AND_GREEK)
    plain = apart.encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    if words and not words[0].isalpha():
        words = f"n_{words}"
    return words[:LONGEST].rstrip("_")
