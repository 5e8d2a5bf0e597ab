"""The intermediate representation. All of it is frozen; a pass returns a new graph.

    Graph   = name, inputs: names, outputs: names, tensors: {name: Tensor}, ops: Op...   (ops in executable order),
              updates: {state: name}                     a state and the tensor whose value it has in the next call
    Tensor  = name, shape, dtype, quant?, data?          constant exactly when `data` is there
              initial?                                   state exactly when `initial` is there: its value after a reset
              levels?                                    the two values that an activation takes where it takes no other
    Quant   = scales, zero_points, axis?                 real = (q - zero_point) * scale; axis None: per_tensor
    Op      = name, inputs: names, outputs: names        subclassed in midge.ops, one module per operator
    Clamp   = (low, high) in real units                  a fused activation: (0, 6) is RELU6, (-inf, inf) is none
    Padding = ((top, bottom), (left, right))             always explicit

A state is read like an input, and nothing writes it: what an operator computes for the next call is a tensor of its
own, which `updates` names. So operators have no side effects and their order is that of their tensors alone.

Layout is NHWC for activations, OHWI for convolution weights, 1HWC for depthwise weights. Shapes are static; a scalar
has shape (). Only an input that nothing reads and a constant output may be without elements. Multipliers and shifts are
derived when a kernel is bound, never stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from midge.ir.channels import Mixing, Range, Ties
from midge.ir.tensor import Array, DType, Quant, Shape, Tensor

if TYPE_CHECKING:
    from midge.numerics.matrix_form import MatrixForm

Clamp = tuple[float, float]
Padding = tuple[tuple[int, int], tuple[int, int]]
# An order of axes, as numpy.transpose takes it: axis i of the result is axis permutation[i] of what is transposed.
Permutation = tuple[int, ...]

NO_CLAMP: Clamp = (-inf, inf)


# How the range of an output is found when a float graph is quantized.
# "observed": from calibration; "same": as the first input (no arithmetic); a Quant: fixed by the operator's definition.
OutputQuant = Literal["observed", "same"] | Quant


@dataclass(frozen=True, kw_only=True)
class Op:
    """One operator of the graph. Subclasses add typed fields and say all that is known of the operator.

    `name` is what reports call the layer. `inputs` and `outputs` are tensor names; an absent bias is left out.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    # Which inputs are weights when they are constant, and along which axis they are quantized per channel.
    weight_axis: ClassVar[Mapping[int, int]] = {}
    # Along which axis weights have a scale each beside float activations (dynamic range); None: one for all.
    dynamic_axis: ClassVar[int | None] = None
    # Which input is an int32 bias at scale input x weight when the op is quantized.
    bias_input: ClassVar[int | None] = None
    # Which constant inputs stay float32 when the op is quantized.
    float_inputs: ClassVar[frozenset[int]] = frozenset()
    # Which inputs are states that the kernel overwrites, and with which output: {input: output}.
    updates: ClassVar[Mapping[int, int]] = {}
    # Whether all inputs must share the output's quantization (CONCATENATION).
    inputs_share_quant: ClassVar[bool] = False
    # Whether the output is the input's bytes under another shape, so that no code runs for it.
    is_view: ClassVar[bool] = False
    # Whether each output value depends on nothing but the input values at the same (broadcast) place.
    is_elementwise: ClassVar[bool] = False
    # Whether outputs are input values as they are, but for a fused clamp, so that nothing is rounded anew.
    only_moves: ClassVar[bool] = False
    # Whether halves go away from the integer 0, not from the zero point, when integers are rounded.
    rounds_from_zero: ClassVar[bool] = False
    # Whether constants of several numbers scale and move channels: they are trained, as weights are.
    has_trained_constants: ClassVar[bool] = False
    # The folder of kernels that a family of operators shares; "" for an operator with kernels of its own.
    family: ClassVar[str] = ""

    @property
    def kind(self) -> str:
        """The operator's name in reports and folders: the name of its module, e.g. `conv2d`."""
        return type(self).__module__.rpartition(".")[2]

    @property
    def kernels(self) -> str:
        """The folder of kernels that compute the operator: its family's, or one of its kind."""
        return self.family or self.kind

    def infer(self, inputs: Sequence[Tensor]) -> tuple[Shape, ...]:
        """Shapes of the outputs. Raises ValueError, with the reason, when the inputs cannot be."""
        raise NotImplementedError

    def evaluate(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], values: Sequence[Array]) -> list[Array]:
        """The definition: the outputs' values for the inputs' `values`, each with its tensor's shape and dtype.

        Float when the output is float; otherwise equal to TFLite's reference kernel bit for bit.
        """
        raise NotImplementedError

    def macs(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> int:
        """Multiply-accumulates of one inference."""
        return 0

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> str:
        """Why this op cannot be done with these types, or "" when it can (types, quantization, constant operands)."""
        return ""

    def output_quant(self, inputs: Sequence[Tensor]) -> OutputQuant:
        """How the output is quantized when midge quantizes a float graph to int8."""
        return "observed"

    def stays_float(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> bool:
        """Whether it has floats in a quantized network too: what it reads is dequantized, what it gives quantized."""
        return False

    def intervals(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], ranges: Sequence[Range]
    ) -> tuple[Range, ...]:
        """Bounds on the outputs' values, per channel, when those of the inputs keep to `ranges`."""
        return tuple(whole_range(t) for t in outputs)

    def permuted(self, permutation: Permutation) -> tuple[Op, Permutation] | None:
        """This operator with all axes renamed, or None where it cannot be.

        The operator that comes back takes inputs x' where this one takes x'.transpose(permutation), all of one rank,
        and gives y' where this one gives y'.transpose(p); p comes back too. Elementwise operators stay as they are.
        """
        return (self, permutation) if self.is_elementwise else None

    def accumulators(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], ranges: Sequence[Range]
    ) -> Range | None:
        """Exact bounds on the sums before requantization, per output channel, as if they could not overflow.

        The bias is in them. None for an operator that has no such sums, or none that are known (float, weights that are
        not constant).
        """
        return None

    def ties(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Ties:
        """Which channels can be removed, and which only together; by default none, or channel by channel."""
        return tie_elementwise(inputs, outputs) if self.is_elementwise else tuple({} for _ in (*inputs, *outputs))

    def mixing(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Mixing | None:
        """The weighted sum over input channels that an int8 operator is, or None. Then `ties` ties weights' axes."""
        return None

    def sum_step(self, steps: Sequence[Any]) -> Any:
        """The step size of the integers that are rescaled to the output at once, from those of the inputs; None where
        it is not so, or by weights, whose step sizes go by channel."""
        return None

    def divisor(self, inputs: Sequence[Tensor]) -> int:
        """What integer sums are divided by when they are rescaled."""
        return 1

    def scales_through(self, inputs: Sequence[Tensor]) -> bool:
        """Whether positive factors by channel, the same on all inputs, come out as they went in, but for the clamp."""
        return False

    def weight_channels(self, inputs: Sequence[Tensor]) -> tuple[int, int] | None:
        """The axes of the weights that go over input and output channels, both of them one axis in a depthwise layer.

        None for an operator that has no such weights.
        """
        return None

    def as_matrix(self, inputs: Sequence[Tensor]) -> MatrixForm | None:
        """The weighted sums that the operator is, as matrix products; None for an operator that is none."""
        return None

    def pull_back(self, values: Sequence[Array], results: Sequence[Array], gradient: Array) -> Array | None:
        """The gradient by the first input, of floats, from that by the first output; both may hold several samples.

        None where that is not said here. Views, elementwise operators and weighted sums need not say it: see
        midge.quantize.backward.
        """
        return None


def whole_range(tensor: Tensor) -> Range:
    """All that the type of `tensor` can hold, for each of its channels."""
    channels = tensor.shape[-1] if tensor.shape else 1
    if tensor.dtype is DType.F32:
        return np.full(channels, -inf), np.full(channels, inf)
    low, high = (0, 1) if tensor.dtype is DType.BOOL else tensor.dtype.limits
    return np.full(channels, low), np.full(channels, high)


def tie_elementwise(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Ties:
    """Channel c of the output with channel c of each input; an input of one channel for all keeps it."""
    shapes = [t.shape for t in (*inputs, *outputs)]
    channels = outputs[0].shape[-1] if outputs[0].shape else 1
    return tuple({len(s) - 1: np.arange(channels)} if s and s[-1] == channels else {} for s in shapes)


@dataclass(frozen=True, eq=False)
class Graph:
    """A network: tensors by name, operators in executable order, and what each state becomes when the call ends."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tensors: Mapping[str, Tensor]
    ops: tuple[Op, ...]
    updates: Mapping[str, str] = field(default_factory=dict)

    @property
    def sources(self) -> tuple[str, ...]:
        """What has a value when a call begins: inputs and states."""
        return (*self.inputs, *self.updates)

    @property
    def results(self) -> tuple[str, ...]:
        """What has to be there when a call ends: outputs, and the values that states take."""
        return (*self.outputs, *self.updates.values())

    @property
    def states(self) -> tuple[Tensor, ...]:
        """What the network remembers from one call to the next."""
        return tuple(self.tensors[name] for name in self.updates)

    def inputs_of(self, op: Op) -> tuple[Tensor, ...]:
        """The input tensors of `op`."""
        return tuple(self.tensors[name] for name in op.inputs)

    def outputs_of(self, op: Op) -> tuple[Tensor, ...]:
        """The output tensors of `op`."""
        return tuple(self.tensors[name] for name in op.outputs)

    @property
    def input_tensors(self) -> tuple[Tensor, ...]:
        """The network's inputs."""
        return tuple(self.tensors[name] for name in self.inputs)

    @property
    def output_tensors(self) -> tuple[Tensor, ...]:
        """The network's outputs."""
        return tuple(self.tensors[name] for name in self.outputs)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(op.macs(self.inputs_of(op), self.outputs_of(op)) for op in self.ops)

    @property
    def is_float(self) -> bool:
        """Whether no activation is quantized: a float network that may be quantized."""
        return all(t.quant is None or t.is_constant for t in self.tensors.values())

    def producer(self, tensor: str) -> Op | None:
        """The op that writes `tensor`, or None for inputs, states and constants."""
        return next((op for op in self.ops if tensor in op.outputs), None)

    def consumers(self, tensor: str) -> tuple[Op, ...]:
        """The ops that read `tensor`."""
        return tuple(op for op in self.ops if tensor in op.inputs)

    def with_ops(self, ops: Sequence[Op], added: Sequence[Tensor] = ()) -> Graph:
        """This graph with other ops and `added` (or replaced) tensors; tensors that nothing names any more go."""
        tensors = {**self.tensors, **{t.name: t for t in added}}
        named = {*self.sources, *self.results, *(n for op in ops for n in (*op.inputs, *op.outputs))}
        return replace(self, ops=tuple(ops), tensors={n: t for n, t in tensors.items() if n in named})
