"""What holds for every graph, checked after each pass."""

from midge.errors import InternalError
from midge.ir.graph import Graph, Op, Tensor


def verify(graph: Graph) -> Graph:
    """Return `graph` when it is sound, else raise InternalError naming the first thing that is not.

    Sound: every name has a tensor, each tensor is written once and before it is read, constants have their declared
    shape and type, shapes agree with each op's inference, and every op accepts its tensors.
    """
    known = {*graph.inputs, *(name for name, t in graph.tensors.items() if t.is_constant)}
    for name, tensor in graph.tensors.items():
        _verify_tensor(name, tensor)
    for name in (*graph.inputs, *graph.outputs):
        _require(name in graph.tensors, f"{graph.name}: no tensor named {name}")
    for op in graph.ops:
        _verify_op(graph, op, known)
        known.update(op.outputs)
    for name in graph.outputs:
        _require(name in known, f"output {name} is never written")
    return graph


def _verify_tensor(name: str, tensor: Tensor) -> None:
    _require(tensor.name == name, f"tensor {tensor.name} is filed under {name}")
    _require(all(d >= 1 for d in tensor.shape), f"tensor {name} has an empty dimension: {tensor.shape}")
    if tensor.data is not None:
        _require(
            tensor.data.shape == tensor.shape and tensor.data.dtype == tensor.dtype.numpy,
            f"constant {name} holds {tensor.data.dtype}{tensor.data.shape}, declared "
            f"{tensor.dtype.value}{tensor.shape}",
        )
    if tensor.quant is not None and tensor.quant.axis is not None:
        size = tensor.shape[tensor.quant.axis]
        _require(len(tensor.quant.scales) == size, f"tensor {name}: {len(tensor.quant.scales)} scales for {size}")


def _verify_op(graph: Graph, op: Op, known: set[str]) -> None:
    for name in (*op.inputs, *op.outputs):
        _require(name in graph.tensors, f"{op.name}: no tensor named {name}")
    for name in op.inputs:
        _require(name in known, f"{op.name} reads {name} before it is written")
    for name in op.outputs:
        _require(name not in known, f"{op.name} writes {name}, which already has a value")
    inputs, outputs = graph.inputs_of(op), graph.outputs_of(op)
    try:
        shapes = op.infer(inputs)
    except ValueError as problem:
        raise InternalError(f"{op.name} ({op.kind}): {problem}") from problem
    found = tuple(t.shape for t in outputs)
    _require(shapes == found, f"{op.name} ({op.kind}): outputs should be {shapes}, are {found}")
    reason = op.check(inputs, outputs)
    _require(not reason, f"{op.name} ({op.kind}): {reason}")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise InternalError(
            f"the graph is not sound: {message}", hint="report this with the model, it is a fault of midge"
        )
