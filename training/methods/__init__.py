"""The prediction methods, one per module: each is fitted, predicts, and writes itself to ONNX."""
