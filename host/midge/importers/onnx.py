"""Reads ONNX models. Knows the file format and no operator: those read themselves, in midge.ops.

Inputs and outputs keep the file's shapes and order of axes (N, C, H, W). A batch that is dynamic becomes 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from midge.errors import MissingExtraError, ModelFileError
from midge.importers import limits
from midge.importers.flatbuffer import DamagedFile
from midge.importers.names import unique_names
from midge.importers.problems import Problem, unknown_operator, unsupported
from midge.ir.graph import Graph
from midge.ir.rewrite import rewire
from midge.ir.tensor import Array, DType, Quant, Shape, Tensor
from midge.ir.verify import verify
from midge.ops import onnx_readers
from midge.ops.constant import Constant
from midge.ops.formats import UnsupportedOp
from midge.ops.onnx_nodes import OnnxNode, Sketch
from midge.ops.quantize import Quantize
from midge.ops.reshape import Reshape

try:
    import onnx

    from midge.importers.onnx_folding import FOLDABLE, fold
    from midge.importers.onnx_inputs import chosen_shapes, has_batch, input_type
    from midge.importers.onnx_proto import DOMAINS, node_name, opsets, parsed
    from midge.importers.onnx_quants import stored_quant
    from midge.importers.onnx_values import ConstantReader, as_output, attributes, clean
except ImportError as problem:
    raise MissingExtraError(
        "reading ONNX models needs the package onnx, which is not installed", hint="pip install 'midge[onnx]'"
    ) from problem

# What an operator's own code may raise on tensors and attributes that cannot be: the file is at fault.
_NONSENSE = (ValueError, IndexError, KeyError, TypeError, ArithmeticError)
NO_SHAPES: Mapping[str, Shape] = {}


def import_onnx(data: bytes, name: str, folder: Path | None = None, shapes: Mapping[str, Shape] = NO_SHAPES) -> Graph:
    """The graph of an ONNX model; `folder` is where the file lies, and the files that hold its constants.

    `shapes` are those of inputs, by name, whose dimensions the file leaves open.

    Raises ModelFileError when the file is no such model or contradicts itself, and UnsupportedModelError, listing
    every layer at fault, when it is sound but asks for what midge does not do.
    """
    try:
        graph = _Reader(parsed(data), name, folder, shapes).graph()
    except DamagedFile as problem:
        raise ModelFileError(f"{name} is damaged: {problem}", hint="copy or export the file again") from problem
    limits.check_size(graph)
    return verify(graph)


class _Reader:
    """One model being read.

    `values` says which tensor of the sketch each name of the file is, `constants` what each constant is. `lost` are the
    outputs of layers that cannot be done: what reads them cannot be looked at.
    """

    def __init__(self, model: Any, name: str, folder: Path | None, shapes: Mapping[str, Shape]) -> None:
        self.name, self.proto = name, model.graph
        self.opsets = opsets(model, name)
        self.shapes = chosen_shapes(shapes, {i.name for i in self.proto.input}, name)
        self.constant_reader = ConstantReader(folder)
        self.sketch = Sketch()
        self.values: dict[str, str] = {}
        self.constants: dict[str, Array] = {}
        self.quants: dict[str, Quant] = {}
        self.lost: set[str] = set()
        self.problems: list[Problem] = []
        self.read_names = {n for node in self.proto.node for n in node.input} | {o.name for o in self.proto.output}
        raw = [*(i.name for i in self.proto.input), *(o for node in self.proto.node for o in node.output)]
        self.safe = dict(zip(raw, unique_names(raw), strict=True))
        self.renamed: set[str] = set()

    def graph(self) -> Graph:
        """The whole network."""
        for proto in self.proto.initializer:
            self._define(proto.name)
            self.constants[proto.name] = self.constant_reader.read(proto)
        if self.proto.sparse_initializer:
            raise DamagedFile("it has sparse constants, which midge does not read")
        inputs = [name for proto in self.proto.input if (name := self._input(proto)) is not None]
        codes = [clean(node.op_type) for node in self.proto.node]
        names = unique_names(
            (node_name(node, code) for node, code in zip(self.proto.node, codes, strict=True)), of="layer"
        )
        for node, name in zip(self.proto.node, names, strict=True):
            try:
                self._node(node, name)
            except DamagedFile as problem:
                raise DamagedFile(f"layer {name}: {problem}") from problem
        outputs = self._outputs()
        if self.problems:
            raise unsupported(self.name, self.problems, onnx_readers())
        if not inputs or not outputs:
            raise DamagedFile("the network has no input or no output")
        tensors = self.sketch.tensors
        return Graph(self.name, tuple(inputs), tuple(outputs), tensors, ()).with_ops(self.sketch.ops)

    def _define(self, name: str) -> None:
        if not name or name in self.values or name in self.constants or name in self.lost:
            raise DamagedFile(f"{clean(name)!r} is written twice" if name else "a tensor has no name")

    def _input(self, proto: Any) -> str | None:
        """Adds a network input; None for what the file also has as a constant, and for what cannot be."""
        if proto.name in self.constants:
            return None
        self._define(proto.name)
        name: str = self.safe[proto.name]
        try:
            is_tensor = proto.type.HasField("tensor_type")
            chosen, batch = self.shapes.get(proto.name), has_batch(self.proto.output)
            dtype, shape = input_type(proto.type.tensor_type, is_tensor, chosen, batch=batch)
        except UnsupportedOp as problem:
            self.lost.add(proto.name)
            self.problems.append(Problem(name, "network input", problem.reason, problem.remedy))
            return None
        self.values[proto.name] = name
        self.sketch.tensors[name] = Tensor(name, shape, dtype)
        if not self.sketch.tensors[name].elements:
            # Its value is known: nothing has to read it.
            self.constants[proto.name] = np.zeros(shape, dtype.numpy)
        return name

    def _node(self, node: Any, name: str) -> None:
        """Reads one node: its constants are folded, its operators added, or its problem noted."""
        code = clean(node.op_type if node.domain in DOMAINS else f"{node.domain}.{node.op_type}")
        for output in node.output:
            if output:
                self._define(output)
        reader = onnx_readers().get(code)
        try:
            if self._folded(node, code):
                return
            if reader is None:
                self.problems.append(unknown_operator(name, code))
            elif not self.lost.intersection(node.input):
                self._read(node, code, name)
                return
        except UnsupportedOp as problem:
            self.problems.append(Problem(name, code, problem.reason, problem.remedy))
        except DamagedFile:
            raise
        except _NONSENSE as problem:
            raise DamagedFile(f"this {code} cannot be: {problem}") from problem
        self.lost.update(output for output in node.output if output)

    def _folded(self, node: Any, code: str) -> bool:
        """Whether the node's outputs are constants, which are then noted."""
        if code == "Constant":
            values = [*attributes(node, self.constant_reader).values()]
            if len(values) != 1 or len(node.output) != 1:
                raise DamagedFile("a Constant has one value")
            self.constants[node.output[0]] = np.asarray(values[0], _plain_type(values[0]))
            return True
        inputs = [name for name in node.input if name]
        if code == "Shape" and inputs and inputs[0] in self.values:
            # A value computed at run time has a shape that is known.
            shape = self.sketch.tensors[self.values[inputs[0]]].shape
            stand_in: list[Array | None] = [np.broadcast_to(np.int8(0), shape)]
        elif code == "Transpose" and self.quants.keys() & set(inputs):
            return False
        elif code in FOLDABLE and all(name in self.constants for name in inputs):
            stand_in = [self.constants[name] if name else None for name in node.input]
        else:
            return False
        found = attributes(node, self.constant_reader)
        for output, value in zip(node.output, fold(node, self.opsets, stand_in), strict=True):
            if output:
                self.constants[output] = value
        if code == "DequantizeLinear" and (quant := stored_quant(stand_in, found.get("axis", 1))) is not None:
            self.quants[node.output[0]] = quant
        return True

    def _read(self, node: Any, code: str, name: str) -> None:
        """The node's operators are added to the sketch."""
        first = len(self.sketch.ops)
        known = OnnxNode(
            code,
            name,
            tuple(self._tensor(n) for n in node.input),
            (),
            attributes(node, self.constant_reader),
            self.opsets[""],
            tuple(output in self.read_names for output in node.output),
            self.sketch,
        )
        results = onnx_readers()[code](known)
        for output, tensor in zip(node.output, results, strict=False):
            if tensor.data is not None:
                self.constants[output] = tensor.data
                if tensor.quant is not None:
                    self.quants[output] = tensor.quant
            elif output:
                self.values[output] = self._named(tensor.name, self.safe[output], first)

    def _named(self, tensor: str, wanted: str, first: int) -> str:
        """What `tensor` is called from now on: `wanted` where an operator from `first` on writes it, else as before."""
        ops = self.sketch.ops
        made = any(tensor in op.outputs for op in ops[first:])
        if not made or tensor in self.renamed or wanted in self.sketch.tensors:
            return tensor
        ops[first:] = [rewire(op, {tensor: wanted}) for op in ops[first:]]
        self.sketch.tensors[wanted] = replace(self.sketch.tensors.pop(tensor), name=wanted)
        self.renamed.add(wanted)
        return wanted

    def _tensor(self, name: str) -> Tensor | None:
        if not name:
            return None
        if name in self.values and name not in self.constants:
            return self.sketch.tensors[self.values[name]]
        if name not in self.constants:
            raise DamagedFile(f"it reads {clean(name)!r} before anything writes it")
        value = self.constants[name]
        if value.dtype.name not in {d.value for d in DType}:
            raise UnsupportedOp(f"a constant of type {value.dtype.name}", "export the model as float32")
        if value.dtype == np.float32 and not np.isfinite(value).all() and value.size > 1:
            raise DamagedFile(f"the constant {clean(name)} has values that are not finite")
        safe = self.sketch.fresh(unique_names([name])[0])
        return Tensor(safe, value.shape, DType(value.dtype.name), self.quants.get(name), value)

    def _outputs(self) -> list[str]:
        """The network's outputs; one that is an input, or listed twice, gets an operator that copies."""
        outputs: list[str] = []
        for proto in self.proto.output:
            if proto.name in self.lost:
                continue
            if proto.name in self.constants:
                outputs += self._constant_output(proto.name)
                continue
            if proto.name not in self.values:
                raise DamagedFile(f"nothing writes the output {clean(proto.name)!r}")
            tensor = self.sketch.tensors[self.values[proto.name]]
            declared = proto.type.tensor_type.elem_type
            if declared == onnx.TensorProto.UINT8 and tensor.dtype is DType.S8:
                if tensor.quant is None:
                    reason = "it is uint8 without a scale"
                    problem = Problem(tensor.name, "network output", reason, "export with int8 or float32 outputs")
                    self.problems.append(problem)
                    continue
                tensor = self._unsigned(tensor, self.safe[proto.name])
            outputs.append(self._copied(tensor, proto.name, outputs))
        return outputs

    def _constant_output(self, raw: str) -> list[str]:
        """An operator that gives the constant; none, and a problem, where no network gives such a one."""
        stored = self.constants[raw]
        value = as_output(stored)
        if value is None or raw in self.quants:
            reason = f"it is a constant of {stored.size} elements of {stored.dtype.name}"
            self.problems.append(Problem(clean(raw), "network output", reason, "export the model without it"))
            return []
        name = self.sketch.fresh(self.safe.get(raw, "output"))
        self.sketch.tensors[name] = Tensor(name, value.shape, DType(value.dtype.name))
        values = tuple(value.reshape(-1).tolist())
        self.sketch.ops.append(Constant(name=name, inputs=(), outputs=(name,), shape=value.shape, values=values))
        return [name]

    def _unsigned(self, tensor: Tensor, wanted: str) -> Tensor:
        """An int8 tensor with a scale as the network's uint8 output, which gets its name where it can."""
        inside = tensor
        if tensor.name == wanted and any(wanted in op.outputs for op in self.sketch.ops):
            inside = replace(tensor, name=self.sketch.fresh(f"{wanted}/int8"))
            self.sketch.ops[:] = [rewire(op, {wanted: inside.name}) for op in self.sketch.ops]
            self.sketch.tensors[inside.name] = inside
            del self.sketch.tensors[wanted]
            self.values = {raw: inside.name if name == wanted else name for raw, name in self.values.items()}
        quant = replace(inside.q, zero_points=tuple(z + 128 for z in inside.q.zero_points))
        y = replace(inside, name=self.sketch.fresh(wanted), dtype=DType.U8, quant=quant)
        self.sketch.tensors[y.name] = y
        self.sketch.ops.append(Quantize(name=y.name, inputs=(inside.name,), outputs=(y.name,)))
        return y

    def _copied(self, tensor: Tensor, wanted: str, taken: Sequence[str]) -> str:
        if tensor.name not in taken and tensor.name not in {self.safe[i.name] for i in self.proto.input}:
            return tensor.name
        name = self.sketch.fresh(self.safe.get(wanted, "output"))
        self.sketch.tensors[name] = replace(tensor, name=name)
        self.sketch.ops.append(Reshape(name=name, inputs=(tensor.name,), outputs=(name,), shape=tensor.shape))
        return name


def _plain_type(value: Any) -> Any:
    """The array type of a Constant's attribute: int64 and float32 for Python numbers."""
    if isinstance(value, np.ndarray):
        return value.dtype
    first = value[0] if isinstance(value, list) and value else value
    return np.int64 if isinstance(first, int) else np.float32
