"""What `mlops` takes: verbs as they are declared, and the help made of that; runs nothing.

Standard library only, since `mlops --help` imports all of it: Dagster alone would cost 2 CPU
seconds. What a verb does is named by dotted path and imported once it was chosen.
"""
