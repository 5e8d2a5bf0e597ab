"""A float graph and the ranges of its activations become an integer graph: int8, or int16 activations."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from midge.errors import UnsupportedModelError
from midge.ir.graph import Graph, Op
from midge.ir.rewrite import fresh_name, rewire
from midge.ir.tensor import QUANTIZED, Array, DType, Quant, Tensor
from midge.ir.verify import verify
from midge.numerics.fixed_point import quantize_array
from midge.ops.dequantize import Dequantize
from midge.ops.quantize import Quantize
from midge.passes.drop_dead import drop_dead
from midge.quantize.float_layers import float_layers, only_floats_read
from midge.quantize.ranges import Range
from midge.quantize.sharing import activation_quants
from midge.quantize.weights import quantize_weights
from midge.quantize.wide_layers import beside_int8, symmetric, wide_layers
from midge.settings import Width


def quantize_graph(
    graph: Graph,
    ranges: Mapping[str, Range],
    float_io: bool = False,
    widths: Callable[[str], Width] = lambda name: "int8",
    clip: bool = False,
    activations: DType = DType.S8,
    int16_layers: Collection[str] = (),
    one_multiplier: bool = False,
) -> Graph:
    """The integer network that computes what float `graph` does, with activations covering `ranges`.

    Weights are symmetric per channel; activations are asymmetric int8 with int32 biases, or symmetric int16 with int64
    ones. Inputs and outputs keep their names; they are integers too, or with `float_io` float with a QUANTIZE or
    DEQUANTIZE next to them. What has floats by its nature (CAST, boxes) keeps them, and so does what indices are made
    of; whole numbers and truths stay what they are. A graph with quantized activations comes back as it is. `widths`
    says how wide the weights of a layer are; `clip` lets the largest be clipped where that lowers the squared error.
    The layers named in `int16_layers` have int16 activations in an int8 network: a QUANTIZE stands where one type
    becomes the other. With `one_multiplier` weight scales of a layer are powers of two apart. Raises
    UnsupportedModelError naming a layer that those integers cannot do.
    """
    if not graph.is_float:
        return graph
    _require_weights(graph)
    quants = activation_quants(graph, ranges)
    wide = wide_layers(graph, int16_layers, quants) if int16_layers else frozenset()
    types = {op.name: DType.S16 if op.name in wide else activations for op in graph.ops}
    made = _Made(quants, {}, [], widths, clip, one_multiplier, activations, types, {}, {})
    floats = float_layers(graph)
    for name in graph.inputs:
        made.tensors[name] = _activation(made, graph.tensors[name], activations)
        if only_floats_read(graph, name, floats):
            made.tensors[name] = graph.tensors[name]
            made.floats[name] = name
    for op in graph.ops:
        add = _add_float if op.name in floats else _add
        add(made, graph, op)
    result = replace(graph, tensors=made.tensors).with_ops(made.ops)
    return verify(drop_dead(_with_float_io(graph, result) if float_io else result))


@dataclass(frozen=True, eq=False)
class _Made:
    """The graph in the making: how each activation is quantized in int8, tensors by name, operators in order.

    `activations` is the type of inputs and outputs, `types` that of each layer by name. `converted` has what holds a
    tensor in another type or quantization than its own, `floats` what holds it as float32.
    """

    quants: Mapping[str, Quant]
    tensors: dict[str, Tensor]
    ops: list[Op]
    widths: Callable[[str], Width]
    clip: bool
    one_multiplier: bool
    activations: DType
    types: Mapping[str, DType]
    converted: dict[tuple[str, DType, Quant], str]
    floats: dict[str, str]

    def quant(self, name: str, dtype: DType) -> Quant:
        """How the float tensor `name` is quantized in that type."""
        wide = symmetric if self.activations is DType.S16 else beside_int8
        return wide(self.quants[name]) if dtype is DType.S16 else self.quants[name]


def _add(made: _Made, graph: Graph, op: Op) -> None:
    dtype = made.types[op.name]
    inputs = _inputs(made, graph, op)
    outputs = [_activation(made, graph.tensors[name], dtype) for name in op.outputs]
    given_out = [t for t in outputs if t.name in graph.outputs and t.dtype is dtype is not made.activations]
    if given_out:
        taken = {**graph.tensors, **made.tensors}
        outputs = [
            replace(t, name=fresh_name(f"{t.name}/{dtype.value}", taken)) if t in given_out else t for t in outputs
        ]
    made.tensors.update((t.name, t) for t in outputs)
    added = replace(op, inputs=inputs, outputs=tuple(t.name for t in outputs))
    reason = added.check([made.tensors[n] for n in added.inputs], outputs)
    if reason:
        raise UnsupportedModelError(
            f"layer {op.name} ({op.kind}) cannot be {dtype.value}: {reason}",
            hint="--precision float deploys the model as it is",
        )
    made.ops.append(added)
    for name, tensor in zip(op.outputs, outputs, strict=True):
        if name != tensor.name:
            made.tensors[name] = _activation(made, graph.tensors[name], made.activations)
            made.converted[name, tensor.dtype, tensor.q] = tensor.name
            made.ops.append(Quantize(name=f"{name}/requantized", inputs=(tensor.name,), outputs=(name,)))


def _add_float(made: _Made, graph: Graph, op: Op) -> None:
    """`op` as it is, between DEQUANTIZE of what it reads and QUANTIZE of what it gives; other types stay."""
    taken = {**graph.tensors, **made.tensors}
    outputs = []
    for tensor in graph.outputs_of(op):
        if tensor.dtype is DType.F32:
            made.floats[tensor.name] = fresh_name(f"{tensor.name}/float", taken)
            tensor = replace(tensor, name=made.floats[tensor.name])
        outputs.append(tensor)
    inputs = tuple(_as_float(made, graph, tensor, op) for tensor in graph.inputs_of(op))
    made.tensors.update((t.name, t) for t in outputs)
    made.ops.append(replace(op, inputs=inputs, outputs=tuple(t.name for t in outputs)))
    for name, tensor in zip(op.outputs, outputs, strict=True):
        if name != tensor.name:
            made.tensors[name] = _activation(made, graph.tensors[name], made.types[op.name])
            made.ops.append(Quantize(name=f"{name}/quantize", inputs=(tensor.name,), outputs=(name,)))


def _as_float(made: _Made, graph: Graph, tensor: Tensor, op: Op) -> str:
    """The name of what holds `tensor` as float32, or in the type of its own that is no float."""
    if tensor.is_constant:
        return _place(made, graph, tensor, op)
    if tensor.dtype is not DType.F32:
        return tensor.name
    if (known := made.floats.get(tensor.name)) is not None:
        return known
    name = fresh_name(f"{tensor.name}/float", {**graph.tensors, **made.tensors})
    made.floats[tensor.name], made.tensors[name] = name, replace(tensor, name=name)
    made.ops.append(Dequantize(name=f"{tensor.name}/dequantize", inputs=(tensor.name,), outputs=(name,)))
    return name


def _inputs(made: _Made, graph: Graph, op: Op) -> tuple[str, ...]:
    """Names of the quantized inputs of `op`, which are made here when they are constants."""
    inputs, dtype = graph.inputs_of(op), made.types[op.name]
    names = list(op.inputs)
    for index, axis in op.weight_axis.items():
        bias = inputs[op.bias_input] if op.bias_input is not None and op.bias_input < len(inputs) else None
        x_scale = made.quant(inputs[0].name, dtype).scale
        wide = dtype is DType.S16
        width = made.widths(op.name)
        weighted = quantize_weights(inputs[index], bias, axis, x_scale, width, made.clip, wide, made.one_multiplier)
        names[index] = _place(made, graph, weighted.weights, op)
        if weighted.bias is not None and op.bias_input is not None:
            names[op.bias_input] = _place(made, graph, weighted.bias, op)
    for index, tensor in enumerate(inputs):
        if index in op.weight_axis or index == op.bias_input:
            continue
        if tensor.is_constant and (index in op.float_inputs or tensor.dtype is not DType.F32):
            names[index] = _place(made, graph, tensor, op)
            continue
        source = op.outputs[0] if op.inputs_share_quant else tensor.name
        if tensor.is_constant:
            names[index] = _place(made, graph, _quantized(tensor, made.quant(source, dtype), dtype), op)
        elif tensor.dtype is DType.F32:
            names[index] = _read(made, graph, tensor, dtype, made.quant(source, dtype))
    return tuple(names)


def _quantized(tensor: Tensor, quant: Quant, dtype: DType) -> Tensor:
    return Tensor(tensor.name, tensor.shape, dtype, quant, quantize_array(_data(tensor), quant, dtype))


def _place(made: _Made, graph: Graph, constant: Tensor, op: Op) -> str:
    """Adds a constant under its own name, or a new one where another operator needs the same values otherwise."""
    there = made.tensors.get(constant.name)
    if there is not None and there.quant == constant.quant and np.array_equal(_data(there), _data(constant)):
        return constant.name
    name = constant.name
    if there is not None:
        name = fresh_name(f"{constant.name}/{op.name}", {**graph.tensors, **made.tensors})
    made.tensors[name] = replace(constant, name=name)
    return name


def _data(constant: Tensor) -> Array:
    return np.asarray(constant.data)


def _read(made: _Made, graph: Graph, tensor: Tensor, dtype: DType, quant: Quant) -> str:
    """The name of what holds `tensor` in that type and quantization: itself, or what a QUANTIZE makes of it."""
    there = made.tensors[tensor.name]
    if there.dtype is dtype and there.quant == quant:
        return tensor.name
    if (known := made.converted.get((tensor.name, dtype, quant))) is not None:
        return known
    name = fresh_name(f"{tensor.name}/requantized", {**graph.tensors, **made.tensors})
    made.tensors[name] = Tensor(name, tensor.shape, dtype, quant)
    made.converted[tensor.name, dtype, quant] = name
    made.ops.append(Quantize(name=name, inputs=(tensor.name,), outputs=(name,)))
    return name


def _activation(made: _Made, tensor: Tensor, dtype: DType) -> Tensor:
    if tensor.dtype is not DType.F32:  # truths and indices stay what they are
        return tensor
    return Tensor(tensor.name, tensor.shape, dtype, made.quant(tensor.name, dtype))


def _require_weights(graph: Graph) -> None:
    """Raises UnsupportedModelError naming the layer whose weights are computed, or no numbers."""
    for op in graph.ops:
        inputs = graph.inputs_of(op)
        for index in (*op.weight_axis, op.bias_input):
            if index is not None and index < len(inputs) and not inputs[index].is_constant:
                raise UnsupportedModelError(
                    f"layer {op.name} ({op.kind}) computes its weights at run time: midge quantizes constant ones",
                    hint="--precision float deploys the model as it is",
                )
        for tensor in inputs:
            if tensor.data is not None and not np.isfinite(tensor.data).all():
                raise UnsupportedModelError(
                    f"layer {op.name} ({op.kind}): the constant {tensor.name} holds NaN or infinity",
                    hint="export the model again from sound weights",
                )


def _with_float_io(graph: Graph, result: Graph) -> Graph:
    """QUANTIZE after each input and DEQUANTIZE before each output, which keep their names."""
    tensors = dict(result.tensors)
    inner: dict[str, str] = {}
    for name in (n for n in dict.fromkeys((*graph.inputs, *graph.outputs)) if tensors[n].dtype in QUANTIZED):
        inner[name] = fresh_name(f"{name}/{tensors[name].dtype.value}", tensors)
        tensors[inner[name]] = replace(tensors[name], name=inner[name])
        tensors[name] = graph.tensors[name]
    before = [Quantize(name=f"{n}/quantize", inputs=(n,), outputs=(inner[n],)) for n in graph.inputs if n in inner]
    after = [
        Dequantize(name=f"{n}/dequantize", inputs=(inner[n],), outputs=(n,))
        for n in dict.fromkeys(graph.outputs)
        if n in inner and n not in graph.inputs
    ]
    ops = [*before, *(rewire(op, inner) for op in result.ops), *after]
    return replace(result, tensors=tensors).with_ops(ops)
