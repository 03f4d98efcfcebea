"""A query in named steps: each reads the ones before it, and the last one is the answer."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlops_assets.engines.readings.dialects import Dialect

if TYPE_CHECKING:
    import ibis.expr.types as ir


class Steps:
    """Steps of one query; a step is computed from tables that are called after others."""

    def __init__(self, dialect: Dialect) -> None:
        """No step yet."""
        self.dialect = dialect
        self._written: dict[str, str] = {}

    def add(self, name: str, expression: "ir.Table") -> "ir.Table":
        """Take a step; the table that later ones read it as."""
        import ibis

        self._written[name] = self._sql(expression)
        return ibis.table(expression.schema(), name=name)

    def given(self, name: str, query: str, columns: Mapping[str, str]) -> "ir.Table":
        """The same of a query that somebody wrote."""
        import ibis

        self._written[name] = query.strip().rstrip(";")
        return ibis.table(columns, name=name)

    def ending(self, last: "ir.Table") -> str:
        """The SQL of all steps, of which the last gives the rows."""
        if not self._written:
            return self._sql(last)
        quote = self.dialect.quote
        steps = [f"{quote}{name}{quote} AS (\n{sql}\n)" for name, sql in self._written.items()]
        return f"WITH {', '.join(steps)}\n{self._sql(last)}"

    def _sql(self, expression: "ir.Table") -> str:
        import ibis

        return str(ibis.to_sql(expression, dialect=self.dialect.name))
