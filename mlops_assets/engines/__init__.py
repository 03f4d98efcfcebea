"""Engines besides that of arrays: the same aggregates of the same YAML, as Ibis expressions.

`aggregates` says what each aggregate is, `relation` which events it is of; `duckdb`, `spark` and
`postgres` run them. In `readings` is what nobody here runs: all blocks of a YAML as a query for a
warehouse.
"""
