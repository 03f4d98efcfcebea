"""Reports, memory and a moment -> whether to train again, and by which rule.

What it decides by is measured in `ml.monitoring`; the memory is kept by `resources.decisions`, and
a run asked for by `sensors.retraining`.
"""
