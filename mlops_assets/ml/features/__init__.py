"""Rows -> features and labels, one row per entity and moment.

Reading the rows is in `ml.data`, feeding features to a model in `ml.frames`, publishing them in
`resources.feature_store`.
"""
