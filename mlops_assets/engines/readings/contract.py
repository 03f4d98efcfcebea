"""The data contract over a table: good rows, typed, and the others with the reasons why not.

Which values break a rule is `columns`; the meaning is that of `ml.data.contract`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from mlops_assets.config import ModelSettings
from mlops_assets.engines.readings.columns import ColumnReading
from mlops_assets.engines.readings.dialects import called
from mlops_assets.engines.readings.steps import Steps
from mlops_assets.errors import ContractError
from mlops_assets.ml.data.reasons import REPEATS

if TYPE_CHECKING:
    import ibis.expr.types as ir

REASON = "reason"


class Rule(NamedTuple):
    """What a row may break."""

    columns: tuple[str, ...]
    rule: str
    what: str


class CheckedTable(NamedTuple):
    """Every row of a table, in exactly one of two; of the order of rows nothing is said."""

    judged: "ir.Table"
    """All of them: `raw_0`, ... as they came and `value_0`, ... typed, in the contract's order;
    `broken_0`, ..., of `rules`, never null; and their `reason`, empty where there is none."""
    rules: list[Rule]
    """In the order in which reasons are given."""
    columns: list[str]
    """The contract's."""

    @property
    def good(self) -> "ir.Table":
        """The good rows with the contract's columns; types are those of the contract."""
        return self._columns("value", self.judged[REASON] == "")

    @property
    def bad(self) -> "ir.Table":
        """The others as they came, and the reason: `COLUMN.RULE: what`, joined by `; `."""
        return self._columns("raw", self.judged[REASON] != "", REASON)

    def _columns(self, kind: str, which: Any, *others: str) -> "ir.Table":
        rows = self.judged.filter(which)
        named = {name: rows[f"{kind}_{place}"] for place, name in enumerate(self.columns)}
        return rows.select(**named, **{name: rows[name] for name in others})


@dataclass(frozen=True)
class ContractReading:
    """The contract of a model, for a table that holds its source's columns."""

    settings: ModelSettings
    now: datetime | None = None
    """As of `ml.data.contract.enforce`; None: when the query is asked."""

    def of(self, table: "ir.Table", steps: Steps) -> CheckedTable:
        """Judge each row.

        Of rows with one `unique` key the good one is the first by the key's columns and then by all
        others, as `source.table` is read.

        Args:
            table: With the source's columns, in any order; others are not looked at.
            steps: Of the query, to which this adds some.

        Raises:
            ContractError: A column is missing, or only the arrays read what it holds.
        """
        contract = self.settings.contract
        readings = [
            ColumnReading(name, rule, steps.dialect, self.now, self._since(name))
            for name, rule in contract.columns.items()
        ]
        typed, problems = self._typed(table, readings, steps)
        rules, broken = list[Rule](), list[Any]()
        for place, reading in enumerate(readings):
            asked = reading.broken(typed[f"value_{place}"], typed[f"missing_{place}"])
            found = [("dtype", what, typed[at]) for what, at in problems[place].items()]
            others = [(rule, *said) for rule, said in asked.items()]
            nullable = [one for one in others if one[0] == "nullable"]
            for rule, what, at in [*nullable, *found, *others[len(nullable) :]]:
                rules.append(Rule((reading.name,), rule, what))
                broken.append(at)
        columns = range(len(readings))
        kept = [typed[f"{kind}_{place}"] for kind in ("raw", "value") for place in columns]
        flags = {f"broken_{place}": at for place, at in enumerate(broken)}
        rows = steps.add("mlops_checked", typed.select(*kept, **flags))
        if contract.unique:
            rows = self._once(rows, len(rules), steps)
            rules.append(Rule(contract.unique, "unique", REPEATS))
        judged = steps.add("mlops_judged", rows.mutate(**{REASON: _reason(rows, rules)}))
        return CheckedTable(judged, rules, list(contract.columns))

    def _typed(
        self, table: "ir.Table", readings: list[ColumnReading], steps: Steps
    ) -> tuple["ir.Table", list[dict[str, str]]]:
        """The columns as they came and typed, what is missing, and the names of the problems."""
        columns, problems = dict[str, Any](), list[dict[str, str]]()
        for place, reading in enumerate(readings):
            raw = self._raw(table, reading.name, steps)
            cast = reading.cast(raw)
            columns |= {f"raw_{place}": raw, f"value_{place}": cast.value}
            columns[f"missing_{place}"] = cast.missing
            names = {what: f"problem_{place}_{at}" for at, what in enumerate(cast.problems)}
            columns |= {names[what]: at for what, at in cast.problems.items()}
            problems.append(names)
        return steps.add("mlops_typed", table.select(**columns)), problems

    def _raw(self, table: "ir.Table", name: str, steps: Steps) -> Any:
        contract = self.settings.contract
        if len(contract.sources_of(name)) > 1:
            raise ContractError(
                f"contract.columns.{name}: SQL joins no texts of {list(contract.sources_of(name))} "
                "into a datetime; give the table, or a view of it, one column of that type"
            )
        source = steps.dialect.spelled(contract.source_names[name])
        if source not in table.columns:
            raise ContractError(
                f"no column {source!r} among {list(table.columns)}; correct contract.columns.{name}"
            )
        return table[source]

    def _since(self, name: str) -> datetime | None:
        partitions = self.settings.partitions
        return partitions.since if partitions and name == self.settings.timestamp_column else None

    def _once(self, rows: "ir.Table", rules: int, steps: Steps) -> "ir.Table":
        """Whether a row that is good else repeats the key of one that is, and comes later."""
        import ibis

        names = list(self.settings.contract.columns)
        key = [names.index(name) for name in self.settings.contract.unique]
        order = [*key, *(place for place in range(len(names)) if place not in key)]
        flags: list[Any] = [ibis.literal(False), *(rows[f"broken_{at}"] for at in range(rules))]
        bad: Any = ibis.or_(*flags)
        rows = steps.add("mlops_bad", rows.mutate(bad=bad))
        window = ibis.window(
            group_by=[rows["bad"], *(rows[f"value_{place}"] for place in key)],
            order_by=[rows[f"raw_{place}"] for place in order],
        )
        repeats = ~rows["bad"] & (ibis.row_number().over(window) > 0)
        kept = [name for name in rows.columns if name != "bad"]
        return steps.add("mlops_once", rows.select(*kept, **{f"broken_{rules}": repeats}))


def _reason(rows: "ir.Table", rules: list[Rule]) -> Any:
    """All of a row in one text; empty if it breaks none."""
    import ibis

    whole = ibis.literal("")
    for place, (columns, rule, what) in enumerate(rules):
        said = f"; {'+'.join(columns)}.{rule}: {what}"
        whole += rows[f"broken_{place}"].ifelse(said, "")
    return called("substr", whole, ibis.literal(3), returns="string")
