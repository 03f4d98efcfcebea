"""Words of yes and of no, folded: of English each by itself, of other languages in pairs."""

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
