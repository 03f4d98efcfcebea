"""Source, entity, contract and processing; one column's contract is `columns`."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from mlops_assets.blocks.base import (
    ColumnName,
    DottedPath,
    Encoding,
    MisfitError,
    Scalar,
    Settings,
    unknown,
)
from mlops_assets.blocks.columns import ColumnContract, check_marks
from mlops_assets.blocks.sources.database import DatabaseAddress, Query, TableName, require_reading


class SourceSettings(Settings):
    """Where the raw rows come from: `uri`, `loader` or `database`, exactly one."""

    uri: str | None = Field(
        None, description="A path, a glob, or `package://PACKAGE/FILE` inside an installed package."
    )
    loader: DottedPath | None = Field(
        None, description="A function without arguments that returns a pandas DataFrame."
    )
    database: DatabaseAddress | None = Field(
        None,
        description="`env:NAME` of the variable that holds its address, as SQLAlchemy writes it; "
        "or an address without a password, e.g. `sqlite:///shop.db`.",
    )
    table: TableName | None = Field(
        None,
        description="Of the database: a table or view, e.g. `shop.orders`; a name that has a dot "
        'in it stands in double quotes: `shop."orders.2024"`.',
    )
    query: Query | None = Field(
        None, description="Of the database, in the place of `table`: a `select` in its SQL."
    )
    watch: tuple[str, ...] = Field(
        (),
        description="For the new-data sensor: the URIs that a `loader` reads; of a `database` "
        "queries of one row each that changes when the rows do, e.g. `select max(changed_at), "
        "count(*) from shop.orders`.",
    )
    format: Literal["csv", "whitespace", "jsonl", "parquet", "excel"] = Field(
        "csv",
        description="A text may be compressed: .gz, .bz2, .xz, .zst or .zip. The fields of an "
        "object in JSON lines or Parquet are columns `object.field`. `excel` needs the extra of "
        "that name.",
    )
    sheet: str = Field("", description="Of a workbook that has several.")
    encoding: str = Field("utf-8", description="Of a text, e.g. cp1252, latin-1 or utf-16.")
    decimal: Literal[".", ","] = Field(".", description="Mark of decimals in csv and whitespace.")
    thousands: str = Field(
        "", max_length=1, description="What may stand between groups of three digits, e.g. `.`."
    )
    delimiter: str = Field(",", min_length=1, max_length=1, description="Only with format csv.")
    trim: bool = Field(
        False, description="Leave out blanks around the values of a csv, which has no quotes then."
    )
    skip_rows: int = Field(
        0, ge=0, description="Lines of a csv, whitespace or excel file before its header."
    )
    comment: str = Field(
        "",
        max_length=3,
        description="How lines before the header begin that are to be left out, however many there "
        "are, e.g. `#`; empty ones among them too.",
    )
    columns: tuple[str, ...] = Field((), description="Names, for a file without a header line.")
    partitions: tuple[str, ...] = Field(
        (),
        description="Columns that stand in the names of the folders: of `year=2024/month=01/a.csv` "
        "`[year, month]`.",
    )
    missing: tuple[str, ...] = Field(("",), description="Texts that mean: no value.")
    final_newline: Literal["required", "optional"] = Field(
        "required", description="A csv that does not end its last line may have been cut."
    )

    @property
    def is_files(self) -> bool:
        """Whether it is files of the user's; what else is read is kept as Parquet."""
        return self.uri is not None

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        given = [name for name in ("uri", "loader", "database") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of `uri`, `loader` and `database`")
        if self.watch and self.is_files:
            raise ValueError(
                "`watch` goes with `loader` or `database`; a `uri` is watched by itself"
            )
        if self.partitions and not self.is_files:
            raise ValueError(
                "`partitions` are of files; let the loader or the query add such columns"
            )
        return self

    @model_validator(mode="after")
    def _rows_of_a_database(self) -> Self:
        asked = [self.table, self.query].count(None) == 1
        if self.database is None and (self.table or self.query):
            raise ValueError("`table` and `query` are of a `database`; name that too")
        if self.database is not None and not asked:
            raise ValueError("give a `database` exactly one of `table` and `query`")
        for query in self.watch if self.database is not None else ():
            require_reading(query)
        return self

    @model_validator(mode="after")
    def _format_fits(self) -> Self:
        if self.delimiter in '"\r\n\0':
            raise ValueError(f"delimiter {self.delimiter!r} cannot separate values")
        if self.delimiter != "," and self.format != "csv":
            raise ValueError(f"format {self.format} takes no delimiter")
        if self.trim and (self.format != "csv" or not self.is_files):
            raise ValueError("`trim` is of a csv; remove it")
        if self.encoding != "utf-8" and (self.format in ("parquet", "excel") or not self.is_files):
            raise ValueError("`encoding` is of a text file; remove it")
        return self

    @model_validator(mode="after")
    def _header_fits(self) -> Self:
        kind = self.format if self.is_files else "rows"
        if self.columns and kind not in ("csv", "whitespace", "excel"):
            raise ValueError("`columns` names those of a text file without a header line")
        if self.skip_rows and kind not in ("csv", "whitespace", "excel"):
            raise ValueError("`skip_rows` is of csv, whitespace and excel; remove it")
        if self.comment and kind not in ("csv", "whitespace"):
            raise ValueError("`comment` is of csv and whitespace; remove it")
        if self.sheet and kind != "excel":
            raise ValueError("`sheet` is of format excel; remove it, or set that")
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
        if self.format not in ("csv", "whitespace") or not self.is_files:
            raise ValueError("`decimal` and `thousands` are of csv and whitespace; remove them")
        check_marks(self.decimal, self.thousands)
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


class ContractSettings(Settings):
    """The columns of the source, and what happens to a row that breaks a rule."""

    STOPS: ClassVar[set[str]] = {
        "extra_columns",
        "bad_rows",
        "max_bad_fraction",
        "max_repeated_fraction",
    }
    """Of what is set here, that which stops a run and makes no row another."""

    columns: dict[str, ColumnContract] = Field(min_length=1)
    extra_columns: Literal["refuse", "drop"] = "refuse"
    unique: tuple[str, ...] = Field((), description="Columns that identify a row together.")
    bad_rows: Literal["quarantine", "refuse"] = "quarantine"
    max_bad_fraction: float = Field(
        0.01, ge=0, lt=1, description="A larger share of bad rows fails the check `contract_holds`."
    )
    max_repeated_fraction: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="The same of rows that break no rule but `unique`, which are no bad rows then; "
        "default: they are, and count in `max_bad_fraction`.",
    )

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        if taken := sorted(_TAKEN & self.columns.keys()):
            raise ValueError(
                f"columns {taken} are added to the rows or to the quarantine; give them other "
                f"names, with `from: {taken[0]}`"
            )
        if misfits := unknown(self.unique, self.columns, "unique"):
            raise MisfitError(*misfits)
        return self

    @model_validator(mode="after")
    def _tolerance_fits(self) -> Self:
        if self.max_repeated_fraction is None:
            return self
        if not self.unique or self.bad_rows == "refuse":
            raise ValueError(
                "max_repeated_fraction needs `unique`, and `bad_rows: quarantine`; remove it"
            )
        return self

    def exceeded(self, broken: Mapping[str, int], bad: int, rows: int) -> str | None:
        """The limit, with its value, that so many bad rows of all are above; None: few enough.

        `broken` says how often each rule was.
        """
        if self.bad_rows == "refuse":
            return "contract.bad_rows: refuse" if bad else None
        repeated = 0
        if self.max_repeated_fraction is not None:
            repeated = sum(times for rule, times in broken.items() if rule.endswith(".unique"))
            if repeated > self.max_repeated_fraction * rows:
                return f"contract.max_repeated_fraction: {self.max_repeated_fraction}"
        if bad - repeated > self.max_bad_fraction * rows:
            return f"contract.max_bad_fraction: {self.max_bad_fraction}"
        return None

    @property
    def source_names(self) -> dict[str, str]:
        """Column -> what the source calls it."""
        return {
            name: " ".join(rule.parts) or str(rule.source or name)
            for name, rule in self.columns.items()
        }

    @property
    def read_columns(self) -> tuple[str, ...]:
        """What is read of the source: those columns, in parts where they are in several."""
        return tuple(dict.fromkeys(of for name in self.columns for of in self.sources_of(name)))

    def sources_of(self, name: str) -> tuple[str, ...]:
        """The columns of the source that a column is in."""
        return self.columns[name].parts or (self.source_names[name],)


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
