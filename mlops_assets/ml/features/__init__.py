"""Features and labels from rows.

Reading the rows is in `data`, feeding them to a model in `inference`.
"""
