"""Transposes move towards the outputs until they meet their opposite, or become part of constant weights.

A file with channels first gives a transpose before and after each convolution. They are carried along instead of
being written: each operator that can be renamed to the other order of axes (Op.permuted) is, and what is left is
written where an operator needs the values in that very order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from midge.ir.graph import Graph, Op, Permutation
from midge.ir.rewrite import fresh_name
from midge.ir.tensor import Array, Shape, Tensor
from midge.ops.fully_connected import FullyConnected
from midge.ops.reshape import Reshape
from midge.ops.transpose import Transpose


def sink_transposes(graph: Graph) -> Graph:
    """The graph with transposes canceled, folded into constants, or as views where no value moves.

    The network's inputs and outputs keep their names and their order of axes.
    """
    if not any(isinstance(op, Transpose) for op in graph.ops):
        return graph
    walk = _Walk(graph, dict(graph.tensors), [], {}, {})
    for op in graph.ops:
        walk.visit(op)
    for name in graph.results:
        walk.write(name)
    return replace(graph, tensors=walk.tensors).with_ops(walk.ops)


@dataclass(frozen=True)
class _Carried:
    """A tensor that nothing writes yet: `source` transposed by `permutation`."""

    source: str
    permutation: Permutation


@dataclass(eq=False)
class _Walk:
    """The new graph in the making. `flat` are carried tensors seen as rows, that only matrix products read."""

    graph: Graph
    tensors: dict[str, Tensor]
    ops: list[Op]
    carried: dict[str, _Carried]
    flat: dict[str, _Carried]

    def visit(self, op: Op) -> None:
        """Adds `op`, in whatever order of axes costs nothing."""
        if isinstance(op, Transpose):
            at = self._resolve(op.inputs[0])
            self.carried[op.outputs[0]] = _Carried(at.source, tuple(at.permutation[a] for a in op.permutation))
        elif not self._renamed(op) and not self._flattened(op) and not self._multiplied(op):
            for name in op.inputs:
                self.write(name)
            self.ops.append(op)

    def write(self, name: str) -> None:
        """Makes sure that `name` is written, in its own order of axes."""
        at = self.carried.pop(name, None)
        if at is None:
            return
        source, layer = self.tensors[at.source], name.removesuffix(":0")
        if _moves_nothing(source.shape, at.permutation):
            self.ops.append(Reshape(name=layer, inputs=(at.source,), outputs=(name,), shape=self.tensors[name].shape))
        else:
            self.ops.append(Transpose(name=layer, inputs=(at.source,), outputs=(name,), permutation=at.permutation))

    def _resolve(self, name: str) -> _Carried:
        return self.carried.get(name, _Carried(name, tuple(range(len(self.tensors[name].shape)))))

    def _renamed(self, op: Op) -> bool:
        """Whether `op` could be added on what its carried inputs are transposes of."""
        found = [self.carried[name] for name in op.inputs if name in self.carried]
        orders = {at.permutation for at in found}
        if len(orders) != 1:
            return False
        (order,) = orders
        moved = op.permuted(order)
        rank = max(len(self.tensors[n].shape) for n in op.inputs)
        if moved is None or rank != len(order) or not all(self._fits(n, order) for n in op.inputs):
            return False
        result, after = moved
        inputs = tuple(self._in_order(name, order, op) for name in op.inputs)
        before = tuple(int(i) for i in np.argsort(after))
        outputs = []
        for name in op.outputs:
            old = self.tensors[name]
            new = self._fresh(f"{name}/moved")
            self.tensors[new] = replace(old, name=new, shape=tuple(old.shape[axis] for axis in before))
            self.carried[name] = _Carried(new, after)
            outputs.append(new)
        self.ops.append(replace(result, inputs=inputs, outputs=tuple(outputs)))
        return True

    def _fits(self, name: str, order: Permutation) -> bool:
        """Whether an input can be had in the other order at no cost."""
        tensor = self.tensors[name]
        same_rank = len(tensor.shape) == len(order)
        if name in self.carried:
            return same_rank
        return tensor.data is not None or tensor.elements == 1 or (same_rank and _moves_nothing(tensor.shape, order))

    def _in_order(self, name: str, order: Permutation, op: Op) -> str:
        """The input whose transpose by `order` is `name`."""
        if name in self.carried:
            return self.carried[name].source
        tensor = self.tensors[name]
        shape: Shape = (1,) * (len(order) - len(tensor.shape)) + tensor.shape
        before = tuple(int(i) for i in np.argsort(order))
        wanted = tuple(shape[axis] for axis in before)
        if tensor.elements == 1 and tensor.shape == wanted:
            return name
        new = self._fresh(f"{name}/{op.name}")
        if tensor.data is not None:
            data = np.ascontiguousarray(tensor.data.reshape(shape).transpose(before))
            quant = None if tensor.quant is None or tensor.quant.axis is not None else tensor.quant
            self.tensors[new] = replace(tensor, name=new, shape=data.shape, quant=quant, data=data)
        else:
            self.tensors[new] = replace(tensor, name=new, shape=wanted)
            self.ops.append(Reshape(name=new, inputs=(name,), outputs=(new,), shape=wanted))
        return new

    def _flattened(self, op: Op) -> bool:
        """Whether `op` views a carried tensor, whose order does not matter or can wait for the weights behind it."""
        if not isinstance(op, Reshape) or op.inputs[0] not in self.carried:
            return False
        at, (target,) = self.carried[op.inputs[0]], op.outputs
        shape = self.tensors[at.source].shape
        if not _moves_nothing(shape, at.permutation):
            readers = self.graph.consumers(target)
            if target in self.graph.results or not all(self._absorbs(r, target, shape, at) for r in readers):
                return False
            self.flat[target] = at
        self.ops.append(replace(op, inputs=(at.source,)))
        return True

    def _absorbs(self, op: Op, name: str, shape: Shape, at: _Carried) -> bool:
        """Whether `op` is a matrix product with constant weights, whose every row reads whole samples of `name`."""
        if not isinstance(op, FullyConnected) or op.inputs[0] != name or name in op.inputs[1:]:
            return False
        weights = self.tensors[op.inputs[1]]
        return weights.is_constant and (
            prod(shape) == weights.shape[1] or (at.permutation[0] == 0 and prod(shape[1:]) == weights.shape[1])
        )

    def _multiplied(self, op: Op) -> bool:
        """Whether `op` is the matrix product behind a flattened tensor: its weights change columns instead."""
        if not isinstance(op, FullyConnected) or op.inputs[0] not in self.flat:
            return False
        at, weights = self.flat[op.inputs[0]], self.tensors[op.inputs[1]]
        data, shape = _constant(weights), self.tensors[at.source].shape
        batch = shape[0] if prod(shape) != weights.shape[1] else 1
        places = np.arange(prod(shape)).reshape(shape).transpose(at.permutation).reshape(batch, -1)[0]
        columns = np.empty_like(data)
        columns[:, places] = data
        name = self._fresh(f"{weights.name}/{op.name}")
        self.tensors[name] = replace(weights, name=name, data=columns)
        self.ops.append(replace(op, inputs=(op.inputs[0], name, *op.inputs[2:])))
        return True

    def _fresh(self, wanted: str) -> str:
        return fresh_name(wanted, self.tensors)


def _constant(tensor: Tensor) -> Array:
    return np.asarray(tensor.data)


def _moves_nothing(shape: Shape, permutation: Sequence[int]) -> bool:
    """Whether a transpose keeps the order of the values: axes of size 1 alone change places."""
    kept = [axis for axis in permutation if shape[axis] != 1]
    return kept == sorted(kept)
