"""What holds for every graph, checked after each pass."""

from midge.errors import InternalError
from midge.ir.graph import Graph, Op
from midge.ir.tensor import Tensor


def verify(graph: Graph, before: Graph | None = None) -> Graph:
    """Return `graph` when it is sound, else raise InternalError naming the first thing that is not.

    Sound: every name has a tensor, each tensor is written once and before it is read, constants and initial values have
    their declared shape and type, shapes agree with each op's inference, every op accepts its tensors, each state takes
    a value of its own kind, and one that a kernel overwrites is read by that kernel alone. `before` is a sound graph of
    which this one was made: operators that are still the same, with the same tensors, are not looked at again.
    """
    known = {*graph.sources, *(name for name, t in graph.tensors.items() if t.is_constant)}
    for name, tensor in graph.tensors.items():
        _verify_tensor(name, tensor)
    for name in (*graph.sources, *graph.results):
        _require(name in graph.tensors, f"{graph.name}: no tensor named {name}")
    unchanged = _unchanged(graph, before) if before is not None else frozenset()
    for place, op in enumerate(graph.ops):
        _verify_op(graph, op, known, place in unchanged)
        known.update(op.outputs)
    for name in graph.outputs:
        _require(name in known, f"output {name} is never written")
    _verify_states(graph, known)
    return graph


def _verify_states(graph: Graph, known: set[str]) -> None:
    states = {name for name, t in graph.tensors.items() if t.is_state}
    _require(states == set(graph.updates), f"states without update: {sorted(states ^ set(graph.updates))}")
    for name, update in graph.updates.items():
        state, value = graph.tensors[name], graph.tensors[update]
        plain = name not in (*graph.inputs, *graph.outputs) and state.data is None
        _require(plain, f"the state {name} is an input, an output or a constant")
        _require(update in known, f"{update}, the next value of the state {name}, is never written")
        same = (state.shape, state.dtype, state.quant) == (value.shape, value.dtype, value.quant)
        _require(same, f"the state {name} cannot take the value of {update}: they differ in shape, type or scale")
    for op in graph.ops:
        for index, output in op.updates.items():
            name = op.inputs[index]
            _require(graph.updates.get(name) == op.outputs[output], f"{op.name} does not update the state {name}")
            alone = sum(reader.inputs.count(name) for reader in graph.ops) == 1 and name not in graph.results
            _require(alone, f"{op.name} overwrites {name}, which others read")


def _verify_tensor(name: str, tensor: Tensor) -> None:
    _require(tensor.name == name, f"tensor {tensor.name} is filed under {name}")
    _require(all(d >= 0 for d in tensor.shape), f"tensor {name} has the shape {tensor.shape}")
    for kind, values in (("constant", tensor.data), ("state", tensor.initial)):
        _require(
            values is None or (values.shape == tensor.shape and values.dtype == tensor.dtype.numpy),
            f"{kind} {name} holds {values.dtype if values is not None else ''}"
            f"{values.shape if values is not None else ''}, declared {tensor.dtype.value}{tensor.shape}",
        )
    if tensor.quant is not None and tensor.quant.axis is not None:
        size = tensor.shape[tensor.quant.axis]
        _require(len(tensor.quant.scales) == size, f"tensor {name}: {len(tensor.quant.scales)} scales for {size}")


def _verify_op(graph: Graph, op: Op, known: set[str], unchanged: bool) -> None:
    for name in (*op.inputs, *op.outputs):
        _require(name in graph.tensors, f"{op.name}: no tensor named {name}")
    for name in op.inputs:
        _require(name in known, f"{op.name} reads {name} before it is written")
    for name in op.outputs:
        _require(name not in known, f"{op.name} writes {name}, which already has a value")
    if unchanged:
        return
    inputs, outputs = graph.inputs_of(op), graph.outputs_of(op)
    empty = [t.name for t in (*inputs, *outputs) if not t.elements]
    _require(not empty or not op.inputs, f"{op.name} ({op.kind}) has nothing to do: {empty} without elements")
    try:
        shapes = op.infer(inputs)
    except ValueError as problem:
        raise InternalError(f"{op.name} ({op.kind}): {problem}") from problem
    found = tuple(t.shape for t in outputs)
    _require(shapes == found, f"{op.name} ({op.kind}): outputs should be {shapes}, are {found}")
    reason = op.check(inputs, outputs)
    _require(not reason, f"{op.name} ({op.kind}): {reason}")


def _unchanged(graph: Graph, before: Graph) -> frozenset[int]:
    """Which operators of the graph, by place, are those of the other with the very same tensors."""
    known = {id(op) for op in before.ops}
    same = {name for name, tensor in graph.tensors.items() if before.tensors.get(name) is tensor}
    return frozenset(i for i, op in enumerate(graph.ops) if id(op) in known and same.issuperset(op.inputs + op.outputs))


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise InternalError(
            f"the graph is not sound: {message}", hint="report this with the model, it is a fault of midge"
        )
