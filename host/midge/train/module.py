"""A network as a torch module, with the weights in place: float, or in quantized form as the device computes it.

Batch normalization is folded into weights already when a file is imported (midge.passes.fold_affine), so that training
sees the weights that are deployed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from midge.errors import UnsupportedModelError
from midge.ir.graph import Graph, Op
from midge.ir.tensor import QUANTIZED, Array, DType, Tensor
from midge.ops.dequantize import Dequantize
from midge.ops.quantize import Quantize
from midge.ops.reshape import Reshape
from midge.ops.softmax import Softmax
from midge.passes.float_weights import float_weights
from midge.quantize.quality import real_values
from midge.quantize.weights import bias_limit
from midge.settings import Width
from midge.train.constants import Constant, Fixed, Keep, StepSize, Weights, shadows, trained_weights, width_of_integers
from midge.train.forms import Form, Layer, layers_of
from midge.train.rounding import Levels, Rounding, settled
from midge.train.step_sizes import shared_quants


class GraphModule(nn.Module):  # type: ignore[misc]
    """A network that torch computes and trains, on real values, for several samples at once.

    `graph`: float, or integers as midge.quantize makes them: then the module has the quantized form, whose weights
    are shadows of the integers: those of `source`, the float network that the integers are from, where it is there.
    `widths`: how wide the weights of a layer are; without, as narrow as the integers are. `learn_steps`: whether step
    sizes are learned. `keep`: the structure of weights that stays.

    In eval mode the quantized form rounds as the integer kernels do; while training, halves may go elsewhere.
    `quantized` may be set to False to compute an integer network without rounding.
    Raises UnsupportedModelError for operators without a form (all are named), or a network that remembers.
    """

    def __init__(
        self,
        graph: Graph,
        source: Graph | None = None,
        widths: Callable[[str], Width] | None = None,
        learn_steps: bool = True,
        keep: Keep | None = None,
    ) -> None:
        super().__init__()
        if graph.updates:
            raise UnsupportedModelError(
                f"{graph.name} remembers from one call to the next, which midge does not train",
                hint="train it in the framework that it is from",
            )
        self.graph = float_weights(graph)
        self.quantized = not self.graph.is_float
        self.keep = Keep() if keep is None else keep
        self._layers = layers_of(self.graph)
        self._keys: dict[str, str] = {}
        self.constants = nn.ModuleDict()
        self.steps = nn.ModuleDict()
        self._shared = shared_quants(self.graph) if self.quantized else {}
        for name in self._shared.values():
            if self._key(name) not in self.steps:
                quant = self.graph.tensors[name].q
                self.steps[self._key(name)] = StepSize(quant.scales, None, 0, learn_steps)
        for layer, _ in self._layers:
            self._add_constants(layer, source, widths, learn_steps)
        self._levels = {t.name: self._levels_of(t) for t in self.graph.tensors.values() if _is_rounded(t)}

    def forward(self, *inputs: Any) -> Any:
        """The real outputs, a tuple where there are several; inputs are real, (samples, *the input's shape)."""
        values = self.run(*inputs)
        found = tuple(values[name] for name in self.graph.outputs)
        return found[0] if len(found) == 1 else found

    def run(self, *inputs: Any) -> dict[str, Any]:
        """The real values of every tensor, by name; those of constants have one sample."""
        steps = self._steps()
        values = self._constants(steps)
        for tensor, x in zip(self.graph.input_tensors, inputs, strict=True):
            values[tensor.name] = self._settle(tensor, x, steps)
        for layer, form in self._layers:
            found = self._computed(layer, form, [values[t.name] for t in layer.inputs], steps)
            values.update(zip((t.name for t in layer.outputs), found, strict=True))
        return values

    def layer_by_layer(self, values: Mapping[str, Array]) -> dict[str, Array]:
        """What each layer makes of its inputs in `values`, one sample in the graph's own types; real values."""
        with torch.no_grad():
            steps = self._steps()
            known = self._constants(steps)
            for tensor in (t for t in self.graph.tensors.values() if t.name not in known):
                known[tensor.name] = torch.from_numpy(_given(tensor, values[tensor.name][None]))
            found: dict[str, Array] = {}
            for layer, form in self._layers:
                results = self._computed(layer, form, [known[t.name] for t in layer.inputs], steps)
                found.update((t.name, y[0].numpy()) for t, y in zip(layer.outputs, results, strict=True))
        return found

    @property
    def logits(self) -> str:
        """The name of what a final softmax, if there is one, is of; else of the first output."""
        name = self.graph.outputs[0]
        producer = self.graph.producer(name)
        while producer is not None and isinstance(producer, Dequantize | Reshape | Quantize | Softmax):
            name = producer.inputs[0]
            if isinstance(producer, Softmax):
                return name
            producer = self.graph.producer(name)
        return self.graph.outputs[0]

    def constant(self, name: str) -> Any:
        """What is trained of the constant tensor `name`: a Constant, whose `parameter` and `set_mask` are there."""
        found = self.constants[self._keys[name]]
        return found.constant if isinstance(found, Weights) else found

    def part_of(self, name: str) -> Any:
        """The Constant, Weights or Fixed that the tensor `name` is, or None for an activation."""
        key = self._keys.get(name)
        return self.constants[key] if key is not None and key in self.constants else None

    @property
    def weights(self) -> tuple[str, ...]:
        """The names of the constants that are weights of layers, in order, each once."""
        names = (layer.inputs[i].name for layer, _ in self._layers for i in layer.op.weight_axis)
        return tuple(dict.fromkeys(n for n in names if n in self._keys))

    def set_masks(self, masks: Mapping[str, Array]) -> None:
        """Weights by the name of their tensor: where a mask is zero, so are they from now on."""
        for name, mask in masks.items():
            self.constant(name).set_mask(mask)

    def masks(self) -> dict[str, Array]:
        """Where weights may be other than zero, for those that have a mask."""
        found = {name: self.constant(name).mask for name in self.weights}
        return {name: mask.numpy().copy() for name, mask in found.items() if mask is not None}

    def make_room(self, names: Iterable[str]) -> None:
        """Masks for the entries of a state_dict that are masks, and none where they are missing."""
        wanted = set(names)
        for name in self.weights:
            path = f"constants.{self._keys[name]}"
            inner = ".constant" if isinstance(self.part_of(name), Weights) else ""
            constant = self.constant(name)
            there = f"{path}{inner}.mask" in wanted
            if there is not (constant.mask is not None):
                constant.set_mask(np.ones(constant.shape) if there else None)

    def given(self, columns: Sequence[Array]) -> tuple[Any, ...]:
        """Samples in the types of the graph's inputs (as Dataset.inputs_for gives them) as the module takes them."""
        tensors = self.graph.input_tensors
        return tuple(torch.from_numpy(_given(t, column)) for t, column in zip(tensors, columns, strict=True))

    def to_graph(self) -> Graph:
        """The network as it is now: float, or integers with the step sizes that were learned."""
        from midge.train.trained_graph import trained_graph

        with torch.no_grad():
            return trained_graph(self)

    def step_of(self, name: str) -> float:
        """The step size of the quantized activation `name`."""
        if (root := self._shared.get(name)) is None:
            return self.graph.tensors[name].q.scale
        return float(self.steps[self._key(root)].value().detach().reshape(()))

    def _key(self, name: str) -> str:
        """torch allows no dots in the names of parts."""
        return self._keys.setdefault(name, f"{len(self._keys)}_{name.replace('.', '_')}")

    def _add_constants(
        self, layer: Layer, source: Graph | None, widths: Callable[[str], Width] | None, learn: bool
    ) -> None:
        op: Op = layer.op
        for index, tensor in enumerate(layer.inputs):
            if tensor.data is None or self._key(tensor.name) in self.constants:
                continue
            made: nn.Module
            floats = _source(source, op, index, tensor)
            if index in op.weight_axis and tensor.dtype is DType.S8:
                width = widths(op.name) if widths is not None else width_of_integers(tensor.data)
                made = _weights(tensor, width, self.keep, learn, floats)
            elif index == op.bias_input and tensor.dtype is not DType.F32:
                made = _bias(layer, tensor, floats)
            elif index in op.weight_axis:
                made = trained_weights(tensor.data, op.weight_axis[index], self.keep)
            elif index == op.bias_input:
                made = Constant(tensor.data, Keep(False, False))
            elif tensor.dtype is DType.F32 or tensor.dtype in QUANTIZED:
                real = np.asarray(real_values(tensor, tensor.data), np.float32)
                trained = op.has_trained_constants and tensor.elements > 1
                made = Constant(real, Keep(False, False)) if trained else Fixed(real)
            else:
                made = Fixed(tensor.data)
            self.constants[self._key(tensor.name)] = made

    def _steps(self) -> dict[str, Any]:
        """Step sizes that are shared, by their key."""
        return {key: step.value().reshape(()) for key, step in self.steps.items()} if self.quantized else {}

    def _constants(self, steps: Mapping[str, Any]) -> dict[str, Any]:
        """The constants as layers take them, biases but for their rounding."""
        return {name: self._constant(name, steps) for name, key in self._keys.items() if key in self.constants}

    def _computed(self, layer: Layer, form: Form, given: list[Any], steps: Mapping[str, Any]) -> list[Any]:
        product = self._product(layer, steps) if self.quantized else None
        if product is not None and layer.op.bias_input == len(given) - 1:
            given[-1] = settled(given[-1], product.float(), self._bias_levels(layer.inputs[-1]))
        results = form(layer, given)
        if _only_moves(layer) and self._alike(layer):
            return list(results)
        return [self._settle(t, y, steps, product) for t, y in zip(layer.outputs, results, strict=True)]

    def _constant(self, name: str, steps: Mapping[str, Any]) -> Any:
        module = self.constants[self._keys[name]]
        if isinstance(module, Weights):
            return module.value(self.quantized)
        return self._settle(self.graph.tensors[name], module.value(), steps) if name in self._levels else module.value()

    def _step(self, name: str, steps: Mapping[str, Any]) -> Any:
        root = self._shared.get(name)
        return torch.tensor(self.graph.tensors[name].q.scale) if root is None else steps[self._keys[root]]

    def _settle(self, tensor: Tensor, y: Any, steps: Mapping[str, Any], product: Any = None) -> Any:
        if not self.quantized or tensor.name not in self._levels:
            return y
        exact = None if tensor.dtype is DType.S16 else product
        return settled(y, self._step(tensor.name, steps), self._levels[tensor.name], exact, not self.training)

    def _product(self, layer: Layer, steps: Mapping[str, Any]) -> Any:
        """The step size of the integer sums that a layer requantizes, one for each channel, or one; None for others."""
        op, inputs = layer.op, layer.inputs
        if layer.outputs[0].name not in self._levels or inputs[0].name not in self._levels:
            return None
        x = self._step(inputs[0].name, steps).double()
        if 1 in op.weight_axis and inputs[1].dtype is DType.S8:
            return x * self.constants[self._keys[inputs[1].name]].step.value().double().reshape(-1)
        found = op.sum_step([x, *(self._step(t.name, steps).double() for t in inputs[1:] if t.name in self._levels)])
        return None if found is None else found / op.divisor(inputs)

    def _bias_levels(self, bias: Tensor) -> Levels:
        limit = bias_limit(bias.dtype)
        return Levels(-limit, limit, rounding=Rounding.EVEN)

    def _levels_of(self, tensor: Tensor) -> Levels:
        zero_point = tensor.q.zero_point
        low, high = tensor.dtype.limits
        producer = self.graph.producer(tensor.name)
        rounding = Rounding.SNAPPED
        if producer is None or (isinstance(producer, Quantize) and self._reads_float(producer)):
            rounding = Rounding.PLAIN
        elif producer.rounds_from_zero:
            rounding = Rounding.FROM_ZERO
        count = 1 if producer is None else producer.divisor(self.graph.inputs_of(producer))
        return Levels(low - zero_point, high - zero_point, zero_point, rounding, tensor.elements, count)

    def _reads_float(self, op: Op) -> bool:
        return self.graph.tensors[op.inputs[0]].dtype is DType.F32

    def _alike(self, layer: Layer) -> bool:
        """Whether what a layer reads and writes is all quantized in the same way."""
        names = [t.name for t in (*layer.inputs, *layer.outputs) if t.name in self._levels]
        quants = {(self._shared.get(n, ""), self.graph.tensors[n].quant) for n in names}
        return len(quants) == 1


def _is_rounded(tensor: Tensor) -> bool:
    return tensor.dtype in QUANTIZED and tensor.quant is not None and tensor.quant.axis is None


def _only_moves(layer: Layer) -> bool:
    clamp = getattr(layer.op, "clamp", (-np.inf, np.inf))
    return layer.op.only_moves and clamp == (-np.inf, np.inf)


def _given(tensor: Tensor, column: Array) -> Array:
    if tensor.dtype is not DType.F32 and tensor.quant is None:
        return np.asarray(column, np.int64 if tensor.dtype is not DType.BOOL else bool)
    return np.asarray(real_values(tensor, column), np.float32)


def _source(source: Graph | None, op: Op, index: int, tensor: Tensor) -> Array | None:
    """The float values that a constant of `op` is from: those of the same layer, or of the same name."""
    if source is None:
        return None
    for other in source.ops:
        if other.name == op.name and other.kind == op.kind and index < len(other.inputs):
            found = source.tensors[other.inputs[index]]
            if found.data is not None and found.shape == tensor.shape and found.dtype is DType.F32:
                return found.data
    return None


def _weights(tensor: Tensor, width: Width, keep: Keep, learn: bool, floats: Array | None) -> Weights:
    quant = tensor.q
    step = StepSize(quant.scales, quant.axis, len(tensor.shape), learn)
    shape = [-1 if quant.axis == i else 1 for i in range(len(tensor.shape))]
    scales = np.asarray(quant.scales, np.float64).reshape(shape)
    return Weights(shadows(np.asarray(tensor.data), scales, width, keep, floats), step, width)


def _bias(layer: Layer, tensor: Tensor, floats: Array | None) -> Constant:
    """The real bias, moved as little as needed for it to round to the very integers."""
    product = layer.inputs[0].q.scale * np.asarray(layer.inputs[1].q.scales, np.float64)
    q = np.asarray(tensor.data, np.float64)
    real = q * product if floats is None else np.clip(floats, (q - 0.499) * product, (q + 0.499) * product)
    return Constant(real, Keep(False, False))
