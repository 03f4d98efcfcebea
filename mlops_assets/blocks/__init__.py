"""The blocks of a model's YAML: frozen, typed, every unknown key refused. Nothing of Dagster.

A block mirrors a stage of the pipeline and checks what it can see alone; `mlops_assets.config` puts
them together and checks how they fit.
"""
