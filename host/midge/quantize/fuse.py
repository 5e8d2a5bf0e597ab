"""A float layer between DEQUANTIZE and QUANTIZE becomes an int8 layer, with the scales and weights of the file.

An ONNX file in QDQ form is defined in floats: dequantize, compute, quantize with halves to even. As it is, midge
deploys just that. As int8 it deploys what is made here: the same integers in weights and biases, the same scales, sums
that are exact, and one rescaling per layer that rounds as TensorFlow Lite's integer kernels do. A fused layer's outputs
differ from the file's definition where a value lies within that rounding of the middle between two steps: by one step.
Averages and functions whose int8 output has a fixed scale (softmax, sigmoid, tanh) are rounded to that scale first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from midge.ir.graph import Graph, Op
from midge.ir.rewrite import count_readers, fresh_name, rewire
from midge.ir.tensor import Array, DType, Quant, Tensor
from midge.ir.verify import verify
from midge.ops.dequantize import Dequantize
from midge.ops.quantize import Quantize
from midge.ops.reshape import Reshape
from midge.ops.transpose import Transpose
from midge.passes.drop_dead import drop_dead


def fuse_quantization(graph: Graph) -> Graph:
    """The graph with integer layers wherever a float layer reads only dequantized values and constants.

    Their output must be quantized, and read by nothing else. Layers that int8 cannot do stay float; the graph itself
    comes back when there is nothing to fuse.
    """
    readers = count_readers(graph)
    quantized = {
        op.inputs[0]: op
        for op in graph.ops
        if isinstance(op, Quantize) and op.ties_to_even and readers[op.inputs[0]] == 1
    }
    made = _Fusing(dict(graph.tensors), [], {}, quantized, {}, frozenset(graph.results))
    for op in graph.ops:
        made.visit(rewire(op, made.same))
    return graph if made.fused == 0 else verify(drop_dead(replace(graph, tensors=made.tensors).with_ops(made.ops)))


@dataclass(eq=False)
class _Fusing:
    """The graph in the making.

    `integers` says of which int8 tensor a float one is the value, `quantized` which operator alone reads a float tensor
    to quantize it, `same` which int8 tensors have become another; `kept` are the network's outputs.
    """

    tensors: dict[str, Tensor]
    ops: list[Op]
    integers: dict[str, str]
    quantized: dict[str, Quantize]
    same: dict[str, str]
    kept: frozenset[str]
    fused: int = 0

    def visit(self, op: Op) -> None:
        """Adds `op`, fused where it can be."""
        if isinstance(op, Dequantize):
            self.integers[op.outputs[0]] = op.inputs[0]
        if isinstance(op, Quantize) and op.outputs[0] in self.same:
            return
        if isinstance(op, Quantize) and op.inputs[0] in self.integers:
            self._requantize(op, self.integers[op.inputs[0]])
        elif isinstance(op, Reshape | Transpose) and op.inputs[0] in self.integers:
            self._move(op)
        elif not self._fuse(op):
            self.ops.append(op)

    def _requantize(self, op: Quantize, source: str) -> None:
        """Int8 that was dequantized and is quantized again."""
        if self.tensors[source].quant == self.tensors[op.outputs[0]].quant and op.outputs[0] not in self.kept:
            self.same[op.outputs[0]] = source
        else:
            self.ops.append(replace(op, inputs=(source,), ties_to_even=False))
        self.fused += 1

    def _move(self, op: Op) -> None:
        """Dequantized values in another order are the integers in that order, dequantized."""
        source, (target,) = self.tensors[self.integers[op.inputs[0]]], op.outputs
        name = self._fresh(f"{target}/int8")
        self.tensors[name] = replace(source, name=name, shape=self.tensors[target].shape)
        self.ops.append(replace(op, inputs=(source.name,), outputs=(name,)))
        self.visit(Dequantize(name=f"{op.name}/dequantize", inputs=(name,), outputs=(target,)))

    def _fuse(self, op: Op) -> bool:
        """Whether an int8 `op` was added, writing what the operator behind it quantizes to."""
        quantize = self.quantized.get(op.outputs[0]) if len(op.outputs) == 1 else None
        inputs = None if quantize is None else self._inputs(op)
        if quantize is None or inputs is None:
            return False
        y = self.tensors[quantize.outputs[0]]
        wanted = op.output_quant(inputs)
        fixed = inputs[0].quant if wanted == "same" else wanted if isinstance(wanted, Quant) else y.quant
        own = y if fixed == y.quant else replace(y, name=self._fresh(f"{y.name}/own"), quant=fixed)
        if op.check(inputs, [own]):
            return False
        self.tensors.update({t.name: t for t in (*inputs, own)})
        self.ops.append(replace(op, inputs=tuple(t.name for t in inputs), outputs=(own.name,)))
        if own is not y:
            self.ops.append(replace(quantize, inputs=(own.name,), ties_to_even=False))
        self.same[y.name] = y.name
        self.fused += 1
        return True

    def _inputs(self, op: Op) -> list[Tensor] | None:
        """Int8 (and for a bias int32) tensors in place of the inputs; None when one has no integers."""
        found: list[Tensor] = []
        for index, name in enumerate(op.inputs):
            tensor = self.tensors[name]
            if name in self.integers:
                found.append(self.tensors[self.integers[name]])
            elif index == op.bias_input and tensor.is_constant:
                found.append(self._bias(tensor, found[0], found[1]))
            elif tensor.is_constant and tensor.quant is not None and tensor.dtype is DType.F32:
                found.append(self._constant(tensor, tensor.quant))
            else:
                return None
        return found if found and not all(t.is_constant for t in found) else None

    def _constant(self, tensor: Tensor, quant: Quant) -> Tensor:
        """The integers that a constant was dequantized from."""
        values = np.rint(_data(tensor) / _along(quant.scales, quant.axis, tensor)) + _along(
            quant.zero_points, quant.axis, tensor
        )
        data = np.clip(values, -128, 127).astype(np.int8)
        return replace(tensor, name=self._fresh(f"{tensor.name}/int8"), dtype=DType.S8, data=data)

    def _bias(self, tensor: Tensor, x: Tensor, weights: Tensor) -> Tensor:
        scales = tuple(float(np.float32(x.q.scale * scale)) for scale in weights.q.scales)
        quant = Quant(scales, (0,) * len(scales), None if weights.q.axis is None else 0)
        exact = np.array([x.q.scale * scale for scale in weights.q.scales])
        data = np.clip(np.rint(_data(tensor) / exact), -(1 << 31), (1 << 31) - 1).astype(np.int32)
        name = self._fresh(f"{tensor.name}/int32")
        return replace(tensor, name=name, dtype=DType.S32, quant=quant, data=data)

    def _fresh(self, wanted: str) -> str:
        return fresh_name(wanted, self.tensors)


def _data(tensor: Tensor) -> Array:
    return np.asarray(tensor.data, np.float64)


def _along(values: tuple[float, ...], axis: int | None, tensor: Tensor) -> Array:
    """One value for all, or one per index along `axis`, in a shape that broadcasts."""
    shape = [1] * len(tensor.shape)
    if axis is not None:
        shape[axis] = len(values)
    return np.asarray(values, np.float64).reshape(shape if axis is not None else ())
