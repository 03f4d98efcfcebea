"""The application that answers requests, and what stands before it: keys, rates, time-outs.

What it serves is in `serving.version`, bytes and refusals in `serving.wire`, processes in
`serving.process`.
"""
