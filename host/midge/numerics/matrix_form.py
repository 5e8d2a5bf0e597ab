"""A layer with weights as plain matrix products: what methods that look for better weights work on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from midge.ir.graph import Padding
from midge.ir.tensor import Array, Shape
from midge.numerics.windows import gathered, window_output_size, windows

_REST = -1


@dataclass(frozen=True, eq=False)
class MatrixForm:
    """outputs = rows x weights + bias, in G independent groups.

    `rows`: the real input of samples -> (G, P, K), P places of K values each. `weights`: the layer's weights, or
    anything of their shape -> (G, K, O). `restore` undoes `weights`. `outputs`: the layer's output -> (G, P, O), and
    `place` undoes that, for an output's shape. `back`, the adjoint of `rows`: (G, P, K) and the input's shape -> the
    sums at each value of the input.
    """

    rows: Callable[[Array], Array]
    weights: Callable[[Array], Array]
    restore: Callable[[Array], Array]
    outputs: Callable[[Array], Array]
    place: Callable[[Array, Shape], Array]
    back: Callable[[Array, Shape], Array]


def dense_form(shape: tuple[int, int]) -> MatrixForm:
    """Of weights (O, K) and inputs (..., K)."""
    return MatrixForm(
        rows=lambda x: x.reshape(1, _REST, shape[1]),
        weights=lambda w: w.T[None],
        restore=lambda m: m[0].T,
        outputs=lambda y: y.reshape(1, _REST, shape[0]),
        place=lambda m, to: m.reshape(to),
        back=lambda m, to: m.reshape(to),
    )


def window_form(
    shape: tuple[int, ...], groups: int, stride: tuple[int, int], dilation: tuple[int, int], padding: Padding
) -> MatrixForm:
    """Of weights (O, KH, KW, C / groups) and inputs (N, H, W, C)."""
    units, *kernel, depth = shape

    def rows(x: Array) -> Array:
        taps = windows(x, (kernel[0], kernel[1]), stride, dilation, padding, 0)
        split = taps.reshape(_REST, kernel[0] * kernel[1], groups, depth)
        return split.transpose(2, 0, 1, 3).reshape(groups, len(split), _REST)

    def back(parts: Array, to: Shape) -> Array:
        size = window_output_size((to[1], to[2]), (kernel[0], kernel[1]), stride, dilation, padding)
        split = parts.reshape(groups, parts.shape[1], kernel[0] * kernel[1], depth).transpose(1, 2, 0, 3)
        wide = split.reshape(to[0], *size, *kernel, groups * depth)
        return gathered(wide, to, (kernel[0], kernel[1]), stride, dilation, padding)

    return MatrixForm(
        rows=rows,
        weights=lambda w: w.reshape(groups, units // groups, _REST).transpose(0, 2, 1),
        restore=lambda m: m.transpose(0, 2, 1).reshape(shape),
        outputs=lambda y: y.reshape(_REST, groups, units // groups).transpose(1, 0, 2),
        place=lambda m, to: m.transpose(1, 0, 2).reshape(to),
        back=back,
    )


def depthwise_form(
    shape: tuple[int, ...], channels: int, stride: tuple[int, int], dilation: tuple[int, int], padding: Padding
) -> MatrixForm:
    """Of weights (1, KH, KW, O), each input channel with its O / channels outputs side by side."""
    _, *kernel, units = shape
    taps = kernel[0] * kernel[1]

    def rows(x: Array) -> Array:
        found = windows(x, (kernel[0], kernel[1]), stride, dilation, padding, 0)
        return found.reshape(_REST, taps, channels).transpose(2, 0, 1)

    def back(parts: Array, to: Shape) -> Array:
        size = window_output_size((to[1], to[2]), (kernel[0], kernel[1]), stride, dilation, padding)
        split = parts.transpose(1, 2, 0).reshape(to[0], *size, *kernel, channels)
        return gathered(split, to, (kernel[0], kernel[1]), stride, dilation, padding)

    return MatrixForm(
        rows=rows,
        weights=lambda w: w.reshape(taps, channels, units // channels).transpose(1, 0, 2),
        restore=lambda m: m.transpose(1, 0, 2).reshape(shape),
        outputs=lambda y: y.reshape(_REST, channels, units // channels).transpose(1, 0, 2),
        place=lambda m, to: m.transpose(1, 0, 2).reshape(to),
        back=back,
    )
