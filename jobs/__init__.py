"""Named asset selections, and the schedules that launch them.

What asks for a run because of what it sees is in `sensors`; what a run does is in
`mlops_assets.assets`.
"""
