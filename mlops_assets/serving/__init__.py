"""What runs inside the endpoint process. Never imports Dagster: it must start fast, stay small.

Starting, moving and asking an endpoint from outside is in `resources.endpoints` and
`resources.cluster`; how a row is scored in `ml.inference`.
"""
