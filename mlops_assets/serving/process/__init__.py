"""The processes of an endpoint: who starts whom, who ends whom.

What they answer is in `serving.api`; who starts the first of them is in `resources.endpoints`.
"""
