"""A float graph and the ranges of its activations become an integer graph: int8, or int16 activations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from midge.errors import UnsupportedModelError
from midge.ir.graph import QUANTIZED, Array, DType, Graph, Op, Quant, Tensor
from midge.ir.rewrite import fresh_name, rewire
from midge.ir.verify import verify
from midge.numerics.fixed_point import quantize_array
from midge.ops import logistic, softmax, tanh
from midge.ops.dequantize import Dequantize
from midge.ops.quantize import Quantize
from midge.quantize.ranges import Range
from midge.quantize.sharing import activation_quants
from midge.quantize.weights import quantize_weights
from midge.settings import Width


def quantize_graph(
    graph: Graph,
    ranges: Mapping[str, Range],
    float_io: bool = False,
    widths: Callable[[str], Width] = lambda name: "int8",
    clip: bool = False,
    activations: DType = DType.S8,
) -> Graph:
    """The integer network that computes what float `graph` does, with activations covering `ranges`.

    Weights are symmetric per channel; activations are asymmetric int8 with int32 biases, or symmetric int16 with int64
    ones. Inputs and outputs keep their names; they are integers too, or with `float_io` float with a QUANTIZE or
    DEQUANTIZE next to them. A graph with quantized activations comes back as it is. `widths` says how wide the weights
    of a layer are; `clip` lets the largest be clipped where that lowers the squared error. Raises UnsupportedModelError
    naming a layer that those integers cannot do.
    """
    if not graph.is_float:
        return graph
    _require_weights(graph)
    quants = activation_quants(graph, ranges)
    if activations is DType.S16:
        quants = {name: _symmetric(quant) for name, quant in quants.items()}
    made = _Made(quants, {}, [], widths, clip, activations)
    for name in graph.inputs:
        made.tensors[name] = _activation(made, graph.tensors[name])
    for op in graph.ops:
        _add(made, graph, op)
    result = replace(graph, tensors=made.tensors).with_ops(made.ops)
    return verify(_with_float_io(graph, result) if float_io else result)


@dataclass(frozen=True, eq=False)
class _Made:
    """The graph in the making: how each activation is quantized, tensors by name, operators in order."""

    quants: Mapping[str, Quant]
    tensors: dict[str, Tensor]
    ops: list[Op]
    widths: Callable[[str], Width]
    clip: bool
    activations: DType


# What operators fix for their outputs in int8, and the scale that all of them have in int16.
_FIXED = {softmax.OUTPUT_QUANT, logistic.OUTPUT_QUANT, tanh.OUTPUT_QUANT}


def _symmetric(quant: Quant) -> Quant:
    """An int16 quantization that holds what the int8 one `quant` does."""
    if quant in _FIXED:
        return softmax.OUTPUT_QUANT_INT16
    low, high = DType.S8.limits
    reach = max(quant.zero_point - low, high - quant.zero_point) * quant.scale
    return Quant.per_tensor(max(reach / DType.S16.limits[1], float(np.finfo(np.float32).tiny)), 0)


def _add(made: _Made, graph: Graph, op: Op) -> None:
    for name in op.outputs:
        made.tensors[name] = _activation(made, graph.tensors[name])
    added = replace(op, inputs=_inputs(made, graph, op))
    reason = added.check([made.tensors[n] for n in added.inputs], [made.tensors[n] for n in added.outputs])
    if reason:
        raise UnsupportedModelError(
            f"layer {op.name} ({op.kind}) cannot be {made.activations.value}: {reason}",
            hint="--precision float deploys the model as it is",
        )
    made.ops.append(added)


def _inputs(made: _Made, graph: Graph, op: Op) -> tuple[str, ...]:
    """Names of the quantized inputs of `op`, which are made here when they are constants."""
    inputs = graph.inputs_of(op)
    names = list(op.inputs)
    for index, axis in op.weight_axis.items():
        bias = inputs[op.bias_input] if op.bias_input is not None and op.bias_input < len(inputs) else None
        x_scale = made.quants[inputs[0].name].scale
        wide = made.activations is DType.S16
        weighted = quantize_weights(inputs[index], bias, axis, x_scale, made.widths(op.name), made.clip, wide)
        names[index] = _place(made, graph, weighted.weights, op)
        if weighted.bias is not None and op.bias_input is not None:
            names[op.bias_input] = _place(made, graph, weighted.bias, op)
    for index, tensor in enumerate(inputs):
        if index in op.weight_axis or index == op.bias_input:
            continue
        if index in op.float_inputs and tensor.is_constant:
            names[index] = _place(made, graph, tensor, op)
            continue
        shared = made.quants[op.outputs[0]] if op.inputs_share_quant else None
        if tensor.is_constant:
            names[index] = _place(made, graph, _quantized(made, tensor, shared or made.quants[tensor.name]), op)
        elif shared is not None and made.quants[tensor.name] != shared:
            names[index] = _requantized(made, graph, tensor, shared)
    return tuple(names)


def _quantized(made: _Made, tensor: Tensor, quant: Quant) -> Tensor:
    data = quantize_array(_data(tensor), quant, made.activations)
    return Tensor(tensor.name, tensor.shape, made.activations, quant, data)


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


def _requantized(made: _Made, graph: Graph, tensor: Tensor, quant: Quant) -> str:
    name = fresh_name(f"{tensor.name}/requantized", {**graph.tensors, **made.tensors})
    made.tensors[name] = Tensor(name, tensor.shape, made.activations, quant)
    made.ops.append(Quantize(name=name, inputs=(tensor.name,), outputs=(name,)))
    return name


def _activation(made: _Made, tensor: Tensor) -> Tensor:
    if tensor.dtype is not DType.F32:  # truths and indices stay what they are
        return tensor
    return Tensor(tensor.name, tensor.shape, made.activations, made.quants[tensor.name])


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
