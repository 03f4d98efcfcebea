"""Checks that look at an asset after it was materialized.

`contract_holds` and `no_row_was_lost` are not here: they stand with their assets, since they must
fail before the previous value is replaced.
"""
