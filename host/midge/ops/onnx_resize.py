"""ONNX's Resize and Upsample, axis by axis: nearest neighbors are gathered, other modes are products with a matrix.

Resizing is linear and separable, so each axis is a matrix, which ONNX's own reference gives for the identity. That
covers every mode, coordinate transformation and rounding; what it costs is a matrix product per axis.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from midge.ir.graph import NO_CLAMP
from midge.ir.tensor import Array, Tensor
from midge.ops.formats import UnsupportedOp
from midge.ops.fully_connected import FullyConnected
from midge.ops.gather import Gather
from midge.ops.onnx_nodes import OnnxNode

_MOST = 4096
# Resizes a part of the input, which an input of its own says.
_CROPPED = "tf_crop_and_resize"


def from_onnx(node: OnnxNode) -> list[Tensor]:
    """Reads a Resize or Upsample whose scales or sizes are constant."""
    x, parts = node.tensor(0), _parts(node)
    for axis, (matrix_input, size) in _axes(node, x).items():
        n = x.shape[axis]
        if max(n, size) > _MOST:
            raise UnsupportedOp(f"an axis of {n} resized to {size}", f"midge resizes up to {_MOST}")
        matrix = _matrix(node, n, {**matrix_input, **parts.get(axis, {})})
        if matrix.shape != (size, n):
            raise ValueError(f"an axis of {n} resized to {matrix.shape[0]}, not {size}")
        if not np.array_equal(matrix, np.eye(n)):
            x = _gathered(node, x, axis, matrix) if _selects(matrix) else _multiplied(node, x, axis, matrix)
    return [x]


def _axes(node: OnnxNode, x: Tensor) -> dict[int, tuple[dict[str, Any], int]]:
    """For each axis that changes: the input that says how, for that axis alone, and the size it gets."""
    rank = len(x.shape)
    axes = [node.axis(a, rank) for a in node.integers("axes", range(rank))]
    if node.attributes.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        return _kept_aspect(node, x, axes)
    if (sizes := node.optional(3)) is not None and sizes.elements:
        targets = [int(n) for n in node.constant(3).reshape(-1)]
        return {a: ({"sizes": n}, n) for a, n in zip(axes, targets, strict=True)}
    place = 1 if node.code == "Upsample" or node.version < 11 else 2
    given = node.attributes.get("scales")
    scales = [float(f) for f in (node.constant(place).reshape(-1) if given is None else given)]
    if not all(0 < f < _MOST for f in scales):
        raise UnsupportedOp(f"scales {scales}", "export with scales that are positive")
    return {a: ({"scales": f}, int(np.floor(x.shape[a] * f))) for a, f in zip(axes, scales, strict=True)}


def _parts(node: OnnxNode) -> dict[int, dict[str, Any]]:
    """Which part of each axis is resized, from start to end as parts of 1; nothing where the whole is."""
    if node.attributes.get("coordinate_transformation_mode") != _CROPPED:
        return {}
    if float(node.attributes.get("extrapolation_value", 0.0)) != 0.0:
        raise UnsupportedOp("another value than 0 outside of the input", "pad the input with it first")
    rank = len(node.tensor(0).shape)
    axes = [node.axis(a, rank) for a in node.integers("axes", range(rank))]
    starts, ends = node.constant(1).reshape(2, len(axes))
    return {a: {"roi": [float(s), float(e)]} for a, s, e in zip(axes, starts, ends, strict=True)}


def _kept_aspect(node: OnnxNode, x: Tensor, axes: list[int]) -> dict[int, tuple[dict[str, Any], int]]:
    """One scale for all axes: the smallest or the largest that the sizes ask for."""
    targets = [int(n) for n in node.constant(3).reshape(-1)]
    ratios = [n / x.shape[a] for a, n in zip(axes, targets, strict=True)]
    larger = node.attributes["keep_aspect_ratio_policy"] == "not_smaller"
    scale = max(ratios) if larger else min(ratios)
    sizes = [int(np.floor(scale * x.shape[a] + 0.5)) for a in axes]
    return {a: ({"sizes": n, "scales": None}, n) for a, n in zip(axes, sizes, strict=True)}


def _matrix(node: OnnxNode, n: int, how: dict[str, Any]) -> Array:
    """(size, n): what ONNX's reference makes of each unit vector along one axis of n."""
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    keep = ("antialias", "coordinate_transformation_mode", "cubic_coeff_a", "exclude_outside", "mode", "nearest_mode")
    options = {name: node.attributes[name] for name in keep if name in node.attributes}
    if node.code == "Upsample" or node.version < 11:
        options |= {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    values: dict[str, Array] = {"x": np.eye(n, dtype=np.float32)}
    if "sizes" in how:
        values["sizes"] = np.array([how["sizes"]], np.int64)
    else:
        values["scales"] = np.array([how["scales"]], np.float32)
    if "roi" in how:
        values["roi"] = np.array(how["roi"], np.float32)
    inputs = [
        "x",
        "roi" if "roi" in values else "",
        "scales" if "scales" in values else "",
        "sizes" if "sizes" in values else "",
    ]
    resize = helper.make_node("Resize", inputs, ["y"], axes=[0], **options)
    names = [helper.make_empty_tensor_value_info(name) for name in values]
    graph = helper.make_graph([resize], "axis", names, [helper.make_empty_tensor_value_info("y")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)])
    try:
        (found,) = ReferenceEvaluator(model).run(None, values)
    except Exception as problem:  # whatever the reference raises, the file asked for it
        raise ValueError(f"resizing by {options}: {problem}") from problem
    return np.asarray(found, np.float32)


def _selects(matrix: Array) -> bool:
    return bool(np.isin(matrix, (0, 1)).all() and (matrix.sum(axis=1) == 1).all())


def _gathered(node: OnnxNode, x: Tensor, axis: int, matrix: Array) -> Tensor:
    indices = tuple(int(i) for i in matrix.argmax(axis=1))
    return node.add(Gather, [x], f"axis{axis}", integers=True, axis=axis, indices=indices, shape=(len(indices),))


def _multiplied(node: OnnxNode, x: Tensor, axis: int, matrix: Array) -> Tensor:
    """The axis goes last, is multiplied there, and goes back."""
    last = len(x.shape) - 1
    order = [i for i in range(last + 1) if i != axis] + [axis]
    moved = x if axis == last else node.transpose(x, order, f"axis{axis}_last")
    weights = node.new_constant(f"axis{axis}_matrix", matrix)
    y = node.add(FullyConnected, [moved, weights], f"axis{axis}", clamp=NO_CLAMP, keep_num_dims=True)
    return y if axis == last else node.transpose(y, np.argsort(order).tolist(), f"axis{axis}_back")


ONNX = {"Resize": from_onnx, "Upsample": from_onnx}
