"""Source, entity, contract and processing."""

from typing import Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ConfigDict, Field, field_validator, model_validator

from mlops_assets.blocks.base import (
    NUMBERS,
    ColumnName,
    DottedPath,
    DType,
    Encoding,
    MisfitError,
    Scalar,
    Settings,
    unknown,
)
from mlops_assets.blocks.time_format import require_moment


class SourceSettings(Settings):
    """Where the raw rows come from: `uri` or `loader`, exactly one."""

    uri: str | None = Field(
        None, description="A path, a glob, or `package://PACKAGE/FILE` inside an installed package."
    )
    loader: DottedPath | None = Field(
        None, description="A function without arguments that returns a pandas DataFrame."
    )
    watch: tuple[str, ...] = Field(
        (), description="Only with `loader`: the URIs it reads, for the new-data sensor."
    )
    format: Literal["csv", "whitespace", "jsonl", "parquet"] = Field(
        "csv",
        description="A text may be compressed: .gz, .bz2, .xz, .zst or .zip. The fields of an "
        "object in JSON lines or Parquet are columns `object.field`.",
    )
    encoding: str = Field("utf-8", description="Of a text, e.g. cp1252, latin-1 or utf-16.")
    decimal: Literal[".", ","] = Field(".", description="Mark of decimals in csv and whitespace.")
    thousands: str = Field(
        "", max_length=1, description="What may stand between groups of three digits, e.g. `.`."
    )
    delimiter: str = Field(",", min_length=1, max_length=1, description="Only with format csv.")
    trim: bool = Field(
        False, description="Leave out blanks around the values of a csv, which has no quotes then."
    )
    columns: tuple[str, ...] = Field((), description="Names, for a file without a header line.")
    missing: tuple[str, ...] = Field(("",), description="Texts that mean: no value.")
    final_newline: Literal["required", "optional"] = Field(
        "required", description="A csv that does not end its last line may have been cut."
    )

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.uri is None) == (self.loader is None):
            raise ValueError("give exactly one of `uri` and `loader`")
        if self.watch and self.loader is None:
            raise ValueError("`watch` goes with `loader`; a `uri` is watched by itself")
        return self

    @model_validator(mode="after")
    def _format_fits(self) -> Self:
        if self.delimiter in '"\r\n\0':
            raise ValueError(f"delimiter {self.delimiter!r} cannot separate values")
        if self.delimiter != "," and self.format != "csv":
            raise ValueError(f"format {self.format} takes no delimiter")
        if self.trim and (self.format != "csv" or self.loader):
            raise ValueError("`trim` is of a csv; remove it")
        if self.columns and (self.format not in ("csv", "whitespace") or self.loader):
            raise ValueError("`columns` names those of a text file without a header line")
        if self.encoding != "utf-8" and (self.format == "parquet" or self.loader):
            raise ValueError("`encoding` is of a text file; remove it")
        return self

    @field_validator("encoding")
    @classmethod
    def _encoding_is_known(cls, name: str) -> str:
        try:
            "".encode(name)
        except (LookupError, ValueError) as err:
            raise ValueError(
                f"encoding {name!r} is not known; write e.g. utf-8, cp1252 or utf-16"
            ) from err
        return name

    @model_validator(mode="after")
    def _numbers_fit(self) -> Self:
        if (self.decimal, self.thousands) == (".", ""):
            return self
        if self.format not in ("csv", "whitespace") or self.loader:
            raise ValueError("`decimal` and `thousands` are of csv and whitespace; remove them")
        if self.decimal == self.thousands:
            raise ValueError(f"decimal and thousands are both {self.decimal!r}; correct one")
        if self.thousands and (self.thousands.isalnum() or self.thousands in '+-"'):
            raise ValueError(f"thousands {self.thousands!r} is part of a number; correct it")
        return self


ANSWER_FIELDS = ("prediction", "probabilities", "features_as_of", "unseen_categories", "error")
"""What an endpoint answers of an entity beside its id, which stands under the entity's name."""


class EntitySettings(Settings):
    """What a prediction is asked for."""

    name: ColumnName = Field(
        description="A column; not called as what stands beside it in an answer: `prediction`, "
        "`probabilities`, `features_as_of`, `unseen_categories`, `error`."
    )
    dtype: Literal["int64", "string"] = Field(
        "int64", description="A string where leading zeros count, or ids are not whole numbers."
    )

    @field_validator("name")
    @classmethod
    def _not_a_field_of_the_answer(cls, name: str) -> str:
        if name in ANSWER_FIELDS:
            raise ValueError(
                f"an entity called {name!r} would hide the {name!r} of every answer; give the "
                f"column another name in `contract.columns`, with `from: {name}`"
            )
        return name

    @property
    def column_dtype(self) -> Literal["int64", "object"]:
        """What a frame's column of entities has."""
        return "int64" if self.dtype == "int64" else "object"


ROW = EntitySettings(name="row")
"""What a row is known by within the graph where the YAML names no entity: its number."""
DELIVERED = "_delivered_at"
"""The column that says when a row is of where the YAML names no timestamp."""
_TAKEN = {ROW.name, "reason", DELIVERED}
"""Columns that processed rows or the quarantine add."""


class ColumnContract(Settings):
    """What every value of one column must be."""

    # `from` is a word of Python, and `values` one of pandas.
    model_config = ConfigDict(serialize_by_alias=True)

    dtype: DType = Field(
        description="Of texts, a bool is true/false, yes/no, y/n, t/f, on/off or 1/0 in any case; "
        "an int64 may be written 4.0."
    )
    source: str | None = Field(
        None,
        alias="from",
        min_length=1,
        description="What the source calls the column; default: as it is called here.",
    )
    nullable: bool = False
    min: float | None = None
    max: float | None = None
    allowed: tuple[Scalar, ...] = Field((), description="The only values that may occur.")
    meanings: dict[str, bool] = Field(
        default_factory=dict,
        alias="values",
        description="Of a bool, the values that mean true and false, in any case, in place of the "
        "usual ones: `{ja: true, nein: false}`.",
    )
    format: str | None = Field(
        None,
        description="strptime format of a datetime, also of one that is stored as a whole number; "
        "default ISO 8601.",
    )
    timezone: str = Field("UTC", description="IANA zone of datetimes written without an offset.")
    offsets: Literal["one", "any"] = Field(
        "one", description="Whether the datetimes of one column may have several UTC offsets."
    )
    future: Literal["refuse", "allow"] = Field("refuse", description="Datetimes after now.")

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        if (self.min is not None or self.max is not None) and self.dtype not in NUMBERS:
            raise ValueError(f"min and max need a number, not {self.dtype}")
        if wrong := [value for value in self.allowed if not fits(value, self.dtype)]:
            raise ValueError(f"allowed values {wrong} are no {self.dtype}")
        return self

    @field_validator("meanings", mode="before")
    @classmethod
    def _keys_are_texts(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        if bare := [key for key in values if isinstance(key, bool)]:
            word = "yes" if bare[0] else "no"
            raise ValueError(
                f"YAML reads a bare {word} as {str(bare[0]).lower()}; put it in quotes"
            )
        return {str(key): value for key, value in values.items()}

    @model_validator(mode="after")
    def _meanings_fit(self) -> Self:
        if not self.meanings:
            return self
        if self.dtype != "bool":
            raise ValueError(f"values {sorted(self.meanings)} are for a bool, not {self.dtype}")
        if {*self.meanings.values()} != {True, False}:
            raise ValueError(
                f"values {self.meanings} name only one side; give one for true, one false"
            )
        if len({key.casefold() for key in self.meanings}) < len(self.meanings):
            raise ValueError(
                f"values {sorted(self.meanings)} are equal but for their case; give one"
            )
        return self

    @model_validator(mode="after")
    def _time_fits(self) -> Self:
        if self.format is not None and (self.dtype != "datetime" or "%" not in self.format):
            raise ValueError(f"format {self.format!r} is for datetimes, e.g. `%Y-%m-%d`")
        if "%Z" in (self.format or ""):
            raise ValueError(f"format {self.format!r}: names of zones are ambiguous; use %z")
        if self.format is not None:
            require_moment(self.format)
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as err:  # a folder of zones: OSError
            raise ValueError(f"timezone {self.timezone!r} is not known; write e.g. UTC") from err
        return self


class ContractSettings(Settings):
    """The columns of the source, and what happens to a row that breaks a rule."""

    columns: dict[str, ColumnContract] = Field(min_length=1)
    extra_columns: Literal["refuse", "drop"] = "refuse"
    unique: tuple[str, ...] = Field((), description="Columns that identify a row together.")
    bad_rows: Literal["quarantine", "refuse"] = "quarantine"
    max_bad_fraction: float = Field(
        0.01, ge=0, lt=1, description="A larger share of bad rows fails the check `contract_holds`."
    )

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        if taken := sorted(_TAKEN & self.columns.keys()):
            raise ValueError(
                f"columns {taken} are added to the rows or to the quarantine; give them other "
                f"names, with `from: {taken[0]}`"
            )
        sources = list(self.source_names.values())
        if twice := sorted({name for name in sources if sources.count(name) > 1}):
            raise ValueError(f"several columns are from {twice}; remove all but one of each")
        if misfits := unknown(self.unique, self.columns, "unique"):
            raise MisfitError(*misfits)
        return self

    @property
    def source_names(self) -> dict[str, str]:
        """Column -> what the source calls it."""
        return {name: rule.source or name for name, rule in self.columns.items()}


class ProcessingSettings(Settings):
    """What `ml.data.processing.process` does; an empty block leaves the rows unchanged."""

    drop_columns: tuple[str, ...] = ()
    drop_duplicates: bool = False
    fill_na: dict[str, Scalar] = Field(default_factory=dict)
    categorical_encoding: dict[str, Encoding] = Field(
        default_factory=dict,
        description="Column -> encoding, fitted on the training rows; a plain list means one_hot.",
    )

    @model_validator(mode="before")
    @classmethod
    def _list_means_one_hot(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("categorical_encoding"), list | tuple):
            names = data["categorical_encoding"]
            return {**data, "categorical_encoding": dict.fromkeys(names, "one_hot")}
        return data


def fits(value: Scalar, dtype: DType) -> bool:
    """Whether a value of the YAML is one of a column of that type."""
    kinds = {"int64": int, "float64": int | float, "string": str, "bool": bool, "datetime": str}
    return isinstance(value, kinds[dtype]) and (dtype == "bool" or not isinstance(value, bool))
