"""Words of yes and of no, and of dates that say nothing of when a row was recorded."""

import re

from mlops_assets.init.reading.names import safe_name

# Folded: of English each by itself, of other languages in pairs.
TRUE = {"true", "yes", "y", "t", "on"}
FALSE = {"false", "no", "n", "f", "off"}
OTHER_LANGUAGES = {
    ("ja", "nein"),
    ("oui", "non"),
    ("si", "no"),
    ("sí", "no"),
    ("sim", "não"),
    ("sim", "nao"),
    ("ja", "nej"),
    ("ja", "nee"),
    ("tak", "nie"),
    ("ano", "ne"),
    ("да", "нет"),
    ("wahr", "falsch"),
    ("vrai", "faux"),
    ("はい", "いいえ"),
    ("是", "否"),
    ("vero", "falso"),
    ("verdadero", "falso"),
    # and by their first letters
    ("j", "n"),
    ("o", "n"),
    ("s", "n"),
    ("v", "f"),
    ("a", "n"),
    ("д", "н"),
}
_OTHER = re.compile(
    r"(^|_)(birth|birthday|birth_?date|dob|born|geburt(s?_?(tag|datum))?|geboren|sign_?(ed_)?up|since|"
    r"joined|joining|register|registered|registration|start|started|begin|began|expiry|expires?|"
    r"expired|expiration|valid|until|end|ended|due|first|last|updated?|modified|closed?|closing|"
    r"cancel|cancell?ed|cancell?ation|deliver|delivered|delivery|paid|outcome|resolved|hire|hired|"
    r"refund|refunded|returned|shipped|last(login|seen|visit|updated?)|"
    r"(start|end|hire|due|expiry|delivery|closing|registration)date|"
    r"((vertrags?|kunden|eintritts?|austritts?|kuendigungs?|start|end|liefer|zahlungs?|ablauf|"
    r"registrierungs?|anmelde|storno)_?)(beginn|ende|datum|tag)|"
    r"seit|beginn|anfang|start|ende|eintritt|austritt|beitritt|anmeldung|angemeldet|registriert|"
    r"registrierung|ablauf|bis|gueltig|faellig|geliefert|lieferung|bezahlt|storniert|gekuendigt|"
    r"kuendigung|erster?|erste[ns]|letzter?|letzte[ns]|geaendert|abgeschlossen|"
    r"naissance|depuis|debut|fin|jusqu|inscription|expire|nacimiento|desde|inicio|hasta|"
    r"nascita|inizio|scadenza)(_|$)"
)
"""Of a safe name, a word: a birth, a beginning, an end, or what comes after the row."""


def is_other(source: str) -> bool:
    """Whether a date is called a birth, a beginning, an end, or what comes after the row."""
    return _OTHER.search(safe_name(source)) is not None
