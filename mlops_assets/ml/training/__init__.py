"""From labelled rows to a fitted pipeline, once, again, and at its best.

Judging it is in `evaluation`.
"""
