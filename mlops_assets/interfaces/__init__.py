"""The user interfaces, Dagster's and MLflow's, each a process behind the same guard.

The guard before an endpoint is in `serving.api`; what both know of foreign pages in
`runtime.same_site`.
"""
