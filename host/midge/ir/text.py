"""A graph as text, for people: one line per op."""

from midge.ir.graph import Graph
from midge.ir.tensor import Tensor


def graph_text(graph: Graph) -> str:
    """The graph, one line per op: name, kind, inputs -> outputs with types, shapes and quantization."""
    lines = [f"graph {graph.name}"]
    lines += [f"  input  {_tensor(t)}" for t in graph.input_tensors]
    lines += [f"  state  {_tensor(graph.tensors[name])} <- {update}" for name, update in graph.updates.items()]
    for op in graph.ops:
        reads = ", ".join(_tensor(t) for t in graph.inputs_of(op))
        writes = ", ".join(_tensor(t) for t in graph.outputs_of(op))
        lines.append(f"  {op.kind} {op.name}: {reads} -> {writes}")
    lines += [f"  output {_tensor(t)}" for t in graph.output_tensors]
    return "\n".join(lines) + "\n"


def _tensor(tensor: Tensor) -> str:
    shape = "x".join(map(str, tensor.shape)) or "scalar"
    quant = ""
    if tensor.quant is not None:
        many = f"[{len(tensor.quant.scales)}]" if tensor.quant.axis is not None else ""
        quant = f" @{tensor.quant.scale:.6g}{many},{tensor.quant.zero_point}"
    return f"{'const ' if tensor.is_constant else ''}{tensor.name}:{tensor.dtype.value}[{shape}]{quant}"
