"""A fitted pipeline -> an ONNX graph, and whether that may answer in its place.

At training time only: what answers is in `ml.inference`, which a worker imports, and nothing of
this.
"""
