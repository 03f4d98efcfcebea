"""The blocks of the YAML as Ibis expressions over a table that somebody else keeps.

What a rule means is said once, over arrays, in `mlops_assets.ml`; here it is said again as a query,
and property tests hold the two together. Nothing here runs a query or knows where a table is.
"""
