"""A model of one addition, written as the bytes of its protocol buffer."""
import numpy
import onnxruntime


def field(number, value):
    if isinstance(value, int):
        return bytes([number << 3, value])
    if isinstance(value, str):
        value = value.encode()
    return bytes([number << 3 | 2, len(value)]) + value


def tensor(name):
    shape = field(1, field(1, 2))  # of two numbers
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, shape)))


node = field(1, "x") + field(1, "x") + field(2, "y") + field(4, "Add")
graph = field(1, node) + field(2, "g") + field(11, tensor("x")) + field(12, tensor("y"))
model = field(1, 8) + field(7, graph) + field(8, field(2, 13))
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
(y,) = session.run(None, {"x": numpy.array([1, 2], dtype="float32")})
assert y.tolist() == [2, 4], y
print("onnxruntime", onnxruntime.__version__, "works")
