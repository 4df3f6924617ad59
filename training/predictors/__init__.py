"""The prediction methods, one per module: each is fitted, predicts, and writes itself to ONNX.

`base` holds what they share; `fit` makes any of them by name.
"""
