"""The weights that techniques of compression work on: which they are, what they stand for, what reaches them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from midge.compress.apply import Material
from midge.errors import SettingsError
from midge.interpreter import interpret_all
from midge.ir.graph import Graph, Op
from midge.ir.tensor import Array, Tensor
from midge.numerics.matrix_form import MatrixForm
from midge.progress import Progress, silent
from midge.quantize.model import calibration_samples
from midge.quantize.quality import real_values
from midge.quantize.samples import Samples

# More samples change a judgement little, and each takes a run of the interpreter.
MOST_SAMPLES = 128


@dataclass(frozen=True, eq=False)
class Weights:
    """Constant weights, and the layers that read them, more than one where they are shared."""

    tensor: Tensor
    layers: tuple[Op, ...]

    @property
    def name(self) -> str:
        """Of the tensor."""
        return self.tensor.name

    @property
    def real(self) -> Array:
        """What the weights stand for, float64."""
        return real_weights(self.tensor)


def find_weights(graph: Graph, layers: Sequence[str] = ()) -> tuple[Weights, ...]:
    """The weights of the layers called so, of all where none is named, in order.

    Raises SettingsError for a name that no layer with weights has, and where there are no weights at all.
    """
    readers: dict[str, list[Op]] = {}
    for op in graph.ops:
        for name in (op.inputs[i] for i in op.weight_axis if i < len(op.inputs)):
            if graph.tensors[name].is_constant:
                readers.setdefault(name, []).append(op)
    known = dict.fromkeys(op.name for found in readers.values() for op in found)
    if not known:
        raise SettingsError(f"{graph.name} has no layer with weights", hint="there is nothing to compress")
    for name in layers:
        if name not in known:
            raise SettingsError(f"{graph.name} has no layer {name} with weights", hint=f"it has {', '.join(known)}")
    wanted = set(layers or known)
    return tuple(Weights(graph.tensors[n], tuple(o)) for n, o in readers.items() if wanted & {op.name for op in o})


def real_weights(tensor: Tensor) -> Array:
    """What constant weights stand for, float64."""
    data = np.asarray(tensor.data, np.float64)
    return data if tensor.quant is None else data * _scales(tensor)


def with_real(tensor: Tensor, real: Array) -> Tensor:
    """The weights nearest to `real` that the tensor's type and scales can hold; integers get no larger than they were,
    so that narrow ones stay narrow."""
    if tensor.quant is None:
        return replace(tensor, data=real.astype(tensor.dtype.numpy))
    scales = _scales(tensor)
    most = int(np.abs(np.asarray(tensor.data, np.int64)).max())
    steps = np.divide(real, scales, out=np.zeros_like(real), where=scales > 0)
    return replace(tensor, data=np.clip(np.rint(steps), -most, most).astype(tensor.dtype.numpy))


def masked(graph: Graph, kept: Mapping[str, Array]) -> Graph:
    """The graph with zeros wherever `kept`, by the names of constants, is False."""
    tensors = dict(graph.tensors)
    for name, mask in kept.items():
        data = np.where(mask, np.asarray(tensors[name].data), 0).astype(tensors[name].dtype.numpy)
        tensors[name] = replace(tensors[name], data=data)
    return replace(graph, tensors=tensors)


def form_of(graph: Graph, op: Op) -> MatrixForm | None:
    """The layer as matrix products, where it is one of weights that are constant."""
    return op.as_matrix(graph.inputs_of(op)) if tuple(op.weight_axis) == (1,) else None


def samples_for(graph: Graph, material: Material, what: str) -> Samples:
    """Calibration samples, of split 1, in the types of the graph's inputs. Raises SettingsError where there are none;
    `what` says what they are for."""
    if material.data is None:
        raise SettingsError(
            f"{what} looks at what the network computes on real inputs, and there is no data",
            hint="--data FILE.npz with samples of split 1, or --criterion magnitude without --reconstruct",
        )
    if len(material.data.calibrate) == 0:
        raise SettingsError(
            f"{material.data.path} has no samples that {what} may look at",
            hint="add an array `split` to the file, 1 for such samples and 0 for those to evaluate",
        )
    few = min(MOST_SAMPLES, material.settings.calibration_samples)
    return calibration_samples(graph, material.data, replace(material.settings, calibration_samples=few))


def for_each_input(
    graph: Graph, samples: Samples, see: Callable[[Op, MatrixForm, Array], None], progress: Progress = silent
) -> None:
    """Calls `see` with each layer that is a matrix product and the rows (G, P, K) that reach it, sample by sample."""
    forms = [(op, form) for op in graph.ops if (form := form_of(graph, op)) is not None]
    for index in progress(range(len(samples)), "looking at activations"):
        values = interpret_all(graph, samples[index])
        for op, form in forms:
            x = graph.tensors[op.inputs[0]]
            see(op, form, form.rows(real_values(x, values[x.name])))


def _scales(tensor: Tensor) -> Array:
    shape = [-1 if i == tensor.q.axis else 1 for i in range(len(tensor.shape))]
    return np.asarray(tensor.q.scales, np.float64).reshape(shape if tensor.q.axis is not None else 1)
