"""Draws ONNX networks with channels first: branches, sums, concatenations, padding, transposes, reshapes, products."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from midge.ir.tensor import Shape

Rng = np.random.Generator


@dataclass(eq=False)
class _Net:
    """The network in the making: nodes, constants, and the shape of each tensor that may be read."""

    rng: Rng
    nodes: list[Any] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    shapes: dict[str, Shape] = field(default_factory=dict)

    def constant(self, values: Any) -> str:
        name = f"k{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def weights(self, *shape: int) -> str:
        return self.constant(self.rng.normal(0, 0.5, shape).astype(np.float32))

    def add(self, code: str, inputs: list[str], shape: Shape, **attributes: Any) -> str:
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(code, inputs, [name], **attributes))
        self.shapes[name] = shape
        return name

    def pick(self, rank: int | None = None) -> str | None:
        """A tensor, often the newest."""
        names = [n for n, s in self.shapes.items() if rank is None or len(s) == rank]
        if not names:
            return None
        return names[-1] if self.rng.random() < 0.6 else str(self.rng.choice(names))


def drawn_onnx(seed: int, count: int) -> Any:
    """A model of about `count` nodes with one input and every unread tensor as an output."""
    net = _Net(np.random.default_rng(seed))
    channels, size = int(net.rng.integers(1, 5)), int(net.rng.integers(4, 8))
    net.shapes["x"] = (1, channels, size, size)
    draws = (_conv, _conv, _pool, _unary, _with_constant, _pair, _concat, _pad, _mean, _transpose, _flat, _softmax)
    for _ in range(count):
        draws[net.rng.integers(len(draws))](net)
    _flat(net)
    read = {name for node in net.nodes for name in node.input}
    outputs = [name for name in net.shapes if name not in read and name != "x"]
    graph = helper.make_graph(
        net.nodes,
        f"drawn{seed}",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, net.shapes["x"])],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, net.shapes[n]) for n in outputs],
        net.constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _conv(net: _Net) -> None:
    if (x := net.pick(4)) is None:
        return
    n, c, h, w = net.shapes[x]
    depthwise = bool(net.rng.random() < 0.3)
    filters = c if depthwise else int(net.rng.integers(1, 5))
    weights = net.weights(filters, 1 if depthwise else c, 3, 3)
    inputs = [x, weights, net.weights(filters)] if net.rng.random() < 0.5 else [x, weights]
    y = net.add("Conv", inputs, (n, filters, h, w), pads=[1, 1, 1, 1], group=c if depthwise else 1)
    if net.rng.random() < 0.3:
        statistics = [net.constant(net.rng.uniform(0.5, 1.5, filters).astype(np.float32)) for _ in range(4)]
        net.add("BatchNormalization", [y, *statistics], (n, filters, h, w))


def _pool(net: _Net) -> None:
    if (x := net.pick(4)) is None or min(net.shapes[x][2:]) < 2:
        return
    n, c, h, w = net.shapes[x]
    code = str(net.rng.choice(["MaxPool", "AveragePool"]))
    net.add(code, [x], (n, c, h // 2, w // 2), kernel_shape=[2, 2], strides=[2, 2])


def _unary(net: _Net) -> None:
    if (x := net.pick()) is not None:
        net.add(str(net.rng.choice(["Relu", "Sigmoid", "Tanh", "LeakyRelu", "Identity"])), [x], net.shapes[x])


def _with_constant(net: _Net) -> None:
    if (x := net.pick()) is None:
        return
    shape = net.shapes[x]
    kept = tuple(n if net.rng.random() < 0.5 else 1 for n in shape)[int(net.rng.integers(0, len(shape) + 1)) :]
    inputs = [x, net.weights(*kept)]
    net.add(str(net.rng.choice(["Add", "Mul", "Sub"])), inputs if net.rng.random() < 0.7 else inputs[::-1], shape)


def _pair(net: _Net) -> None:
    if (x := net.pick()) is None:
        return
    shape = net.shapes[x]
    others = [n for n, s in net.shapes.items() if len(s) == len(shape) and all(a in (1, b) for a, b in zip(s, shape))]
    net.add(str(net.rng.choice(["Add", "Mul", "Sub"])), [x, str(net.rng.choice(others))], shape)


def _concat(net: _Net) -> None:
    if (x := net.pick()) is None or not net.shapes[x]:
        return
    shape = net.shapes[x]
    axis = int(net.rng.integers(len(shape)))
    others = [
        n
        for n, s in net.shapes.items()
        if len(s) == len(shape) and (*s[:axis], *s[axis + 1 :]) == (*shape[:axis], *shape[axis + 1 :])
    ]
    other = str(net.rng.choice(others))
    total = shape[axis] + net.shapes[other][axis]
    net.add("Concat", [x, other], (*shape[:axis], total, *shape[axis + 1 :]), axis=axis)


def _pad(net: _Net) -> None:
    if (x := net.pick()) is None or not net.shapes[x]:
        return
    pads = net.rng.integers(0, 2, (2, len(net.shapes[x])))
    shape = tuple(int(n) for n in np.array(net.shapes[x]) + pads.sum(axis=0))
    net.add("Pad", [x, net.constant(pads.reshape(-1).astype(np.int64))], shape)


def _mean(net: _Net) -> None:
    if (x := net.pick()) is None or len(net.shapes[x]) < 2:
        return
    shape = net.shapes[x]
    axes = sorted(net.rng.choice(len(shape), int(net.rng.integers(1, len(shape))), replace=False).tolist())
    keep = bool(net.rng.random() < 0.5)
    after = tuple(1 if i in axes else n for i, n in enumerate(shape) if keep or i not in axes)
    net.add("ReduceMean", [x], after, axes=axes, keepdims=int(keep))


def _transpose(net: _Net) -> None:
    if (x := net.pick()) is None:
        return
    order = net.rng.permutation(len(net.shapes[x])).tolist()
    net.add("Transpose", [x], tuple(net.shapes[x][i] for i in order), perm=order)


def _flat(net: _Net) -> None:
    if (x := net.pick()) is None or not net.shapes[x]:
        return
    rows, columns = net.shapes[x][0], int(np.prod(net.shapes[x][1:]))
    y = net.add("Flatten", [x], (rows, columns))
    net.add("MatMul", [y, net.weights(columns, 3)], (rows, 3))


def _softmax(net: _Net) -> None:
    if (x := net.pick()) is not None and net.shapes[x]:
        net.add("Softmax", [x], net.shapes[x], axis=int(net.rng.integers(len(net.shapes[x]))))
