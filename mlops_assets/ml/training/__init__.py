"""Labelled rows -> a fitted scikit-learn pipeline: once, at its best, and again.

How good it is, is in `ml.evaluation`; its ONNX graph in `ml.export`; MLflow runs in
`resources.tracking`.
"""
