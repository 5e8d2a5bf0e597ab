"""One node of an ONNX file as operators read it, and the graph in the making that they write to.

A reader turns a node into operators of midge, one or several, with `OnnxNode.add`, and returns the tensors that are the
node's outputs, in order; one of its own inputs may be among them. Shapes are inferred as operators are added.
Activations keep the file's axes (N, C, spatial...): operators that want channels last put transposes around themselves,
which midge.passes.sink_transposes removes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np

from midge.ir.graph import Op
from midge.ir.rewrite import fresh_name
from midge.ir.tensor import Array, DType, Quant, Shape, Tensor
from midge.ops.formats import SourceOp, UnsupportedOp
from midge.ops.reshape import Reshape
from midge.ops.transpose import Transpose

_MOST_ELEMENTS = 64 << 20
_TYPES = "export the model as float32, or quantized to int8"


@dataclass(eq=False)
class Sketch:
    """A graph in the making: tensors by name and operators in executable order."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    ops: list[Op] = field(default_factory=list)

    def fresh(self, wanted: str) -> str:
        """A tensor name that is not taken."""
        return fresh_name(wanted, self.tensors)


@dataclass(frozen=True, eq=False)
class OnnxNode(SourceOp):
    """A node of opset `version`. `outputs` stays empty: readers make them; `used` says which of them anything reads."""

    version: int
    used: tuple[bool, ...]
    sketch: Sketch

    def optional(self, index: int) -> Tensor | None:
        """Input `index`, or None where the file leaves it out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def integers(self, name: str, default: Iterable[int]) -> tuple[int, ...]:
        """Attribute `name`, a list of integers."""
        return tuple(int(value) for value in self.attributes.get(name, default))

    def axes(self, index: int, rank: int) -> tuple[int, ...] | None:
        """The axes of older opsets' attribute `axes`, or of the constant input `index`; not negative, sorted.

        None where the file names none. Raises UnsupportedOp for axes that are not there.
        """
        if "axes" in self.attributes:
            raw = list(self.integers("axes", ()))
        elif self.optional(index) is None:
            return None
        else:
            raw = [int(axis) for axis in self.constant(index).reshape(-1)]
        return tuple(sorted({self.axis(axis, rank) for axis in raw}))

    def axis(self, axis: int, rank: int) -> int:
        """`axis` counted from the first. Raises UnsupportedOp where there is none."""
        if not -rank <= axis < rank:
            raise UnsupportedOp(f"axis {axis} of {rank} dimensions", "the file is damaged: export it again")
        return axis % rank

    def only_output(self) -> None:
        """Raises UnsupportedOp when anything reads more than the first output."""
        if any(self.used[1:]):
            raise UnsupportedOp("its second output is used", "export the model without it")

    def add(
        self,
        kind: type[Op],
        inputs: Sequence[Tensor],
        role: str,
        *,
        integers: bool = False,
        dtype: DType | None = None,
        quant: Quant | None = None,
        **fields: Any,
    ) -> Tensor:
        """Adds an operator with one output and returns that, in input 0's type and scale unless given.

        `role` tells the operators of one node apart; the one that is the node itself has none. Raises ValueError when
        the inputs cannot be, UnsupportedOp when the operator refuses their types. `integers`: whether the operator does
        to ONNX's plain int8 what it does to quantized int8, as those do that only move values.
        """
        if not integers and any(t.dtype is not DType.F32 for t in inputs):
            raise UnsupportedOp(f"types {', '.join(sorted({t.dtype.value for t in inputs}))}", _TYPES)
        like = Tensor("", (), dtype or inputs[0].dtype, quant if dtype else inputs[0].quant)
        return self._added(kind, inputs, role, 1, like, fields)[0]

    def add_parts(self, kind: type[Op], inputs: Sequence[Tensor], count: int, **fields: Any) -> list[Tensor]:
        """Adds an operator that moves values to `count` outputs, in input 0's type and scale."""
        return self._added(kind, inputs, "", count, inputs[0], fields)

    def _added(
        self, kind: type[Op], inputs: Sequence[Tensor], role: str, count: int, like: Tensor, fields: Mapping[str, Any]
    ) -> list[Tensor]:
        name = f"{self.name}/{role}" if role else self.name
        made: dict[str, Tensor] = {}
        for i in range(count):
            output = fresh_name(f"{name}:{i}", {**self.sketch.tensors, **made})
            made[output] = replace(like, name=output, data=None)
        op = kind(name=name, inputs=tuple(t.name for t in inputs), outputs=tuple(made), **fields)
        results = [replace(t, shape=shape) for t, shape in zip(made.values(), op.infer(inputs), strict=True)]
        for shape in (t.shape for t in results):
            if prod(shape) > _MOST_ELEMENTS:
                raise UnsupportedOp(f"its output {list(shape)} has more than {_MOST_ELEMENTS} elements", "use less")
            if min(shape, default=1) < 1:
                raise UnsupportedOp(f"its output {list(shape)} is empty", "export the model without empty tensors")
        if reason := op.check(inputs, results):
            raise UnsupportedOp(reason, _TYPES)
        self.sketch.tensors.update({t.name: t for t in (*inputs, *results)})
        self.sketch.ops.append(op)
        return results

    def new_constant(self, role: str, values: Array) -> Tensor:
        """A float32 constant."""
        data = np.ascontiguousarray(values, np.float32)
        if not np.isfinite(data).all():
            raise UnsupportedOp(f"its {role} has values that are not finite", "export the model from sound weights")
        tensor = Tensor(self.sketch.fresh(f"{self.name}/{role}"), data.shape, DType.F32, None, data)
        self.sketch.tensors[tensor.name] = tensor
        return tensor

    def transpose(self, x: Tensor, permutation: Iterable[int], role: str = "") -> Tensor:
        """x with its axes in another order; a constant's values are moved here."""
        if x.data is not None:
            order = tuple(permutation)
            quant = x.quant
            if quant is not None and quant.axis is not None:
                quant = replace(quant, axis=order.index(quant.axis))
            return self._moved(x, role, np.transpose(x.data, order), quant)
        return self.add(Transpose, [x], role, integers=True, permutation=tuple(permutation))

    def reshape(self, x: Tensor, shape: Iterable[int], role: str = "") -> Tensor:
        """The elements of x under another shape; x itself where it has that shape."""
        wanted: Shape = tuple(shape)
        if x.data is not None:
            keeps = x.quant is None or x.quant.axis is None or (x.quant.axis == 0 and wanted[:1] == x.shape[:1])
            return self._moved(x, role, x.data.reshape(wanted), x.quant if keeps else None)
        return x if wanted == x.shape else self.add(Reshape, [x], role, integers=True, shape=wanted)

    def weights(self, index: int) -> Tensor:
        """Input `index`, which must be a constant."""
        self.constant(index)
        return self.tensor(index)

    def with_quant(self, x: Tensor, quant: Quant) -> Tensor:
        """x, an input of the network that has no scale yet, with this one."""
        found = replace(x, quant=quant)
        self.sketch.tensors[x.name] = found
        return found

    def _moved(self, x: Tensor, role: str, values: Array, quant: Quant | None) -> Tensor:
        name = self.sketch.fresh(f"{x.name}/{role}" if role else x.name)
        return replace(x, name=name, shape=values.shape, quant=quant, data=np.ascontiguousarray(values))


OnnxReader = Callable[[OnnxNode], Sequence[Tensor]]


def unary(kind: type[Op], **fields: Any) -> OnnxReader:
    """The reader of an operator with one input and, apart from `fields`, nothing to say."""
    return lambda node: [node.add(kind, [node.tensor(0)], "", **fields)]


def binary(kind: type[Op], **fields: Any) -> OnnxReader:
    """The reader of an operator with two inputs that broadcast as in numpy and, apart from `fields`, nothing to say."""

    def read(node: OnnxNode) -> list[Tensor]:
        if node.attributes.get("broadcast"):
            raise UnsupportedOp("the broadcasting of opset 6", "export with opset 13 or newer")
        return [node.add(kind, [node.tensor(0), node.tensor(1)], "", **fields)]

    return read
