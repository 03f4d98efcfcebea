"""`make demo`: the two example models, replayed month by month through the system itself.

No part of the product, which imports nothing of it; measurements of cost are in `benchmarks/`.
"""
