"""A fitted pipeline as ONNX, and whether that may answer in its place: at training time only.

What answers is in `inference`.
"""
