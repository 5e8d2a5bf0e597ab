"""The ways to write a layer as a chain of smaller linear ones, at every rank.

All work on float weights; a fully connected layer is a convolution of one place here: (O, 1, 1, K).

    svd      (r, KH, KW, C), then (O, 1, 1, r): the outputs lie in r dimensions (Denton et al., arXiv 1404.0736)
    spatial  (r, KH, 1, C), then (O, 1, KW, r) (Jaderberg et al., arXiv 1405.3866, scheme 2)
    tucker   (q, 1, 1, C), (r, KH, KW, q), then (O, 1, 1, r) (Kim et al., arXiv 1511.06530, section 3.1)

Without data an error is the squared difference of weights; with it, of outputs, as far as the form allows: `svd`
exactly, `tucker` one side after the other, `spatial` with a weight for each input channel. Values between two parts
have the same size in each channel, because they share one scale when they become int8: the noise of rounding is then
the least.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

# Rounds of higher-order orthogonal iteration, which converges at once in practice.
_ROUNDS = 3
_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Moments:
    """Of a layer's windows (KH * KW * C values): their mean, and their covariance."""

    mean: F64
    covariance: F64


@dataclass(frozen=True, eq=False)
class Factoring:
    """A layer as `parts`, each (O, KH, KW, C), the first to come first. `shift` (O) is to be added to the bias.

    `error`: the part of the squares, of weights or of outputs, that is lost.
    """

    form: str
    ranks: tuple[int, ...]
    parts: tuple[F64, ...]
    error: float
    shift: F64 | None = None


def svd_energies(weights: F64, moments: Moments | None) -> F64:
    """What each further rank of `svd` keeps, largest first; the sum is all there is."""
    return _output_directions(weights, moments)[0]


def svd(weights: F64, rank: int, moments: Moments | None) -> Factoring:
    """Outputs projected on their `rank` directions of most energy; with data, around their mean."""
    units, *kernel, depth = weights.shape
    energies, directions = _output_directions(weights, moments)
    top, sizes = directions[:, :rank], _sizes(energies[:rank])
    matrix = weights.reshape(units, -1)
    first = (top / sizes).T @ matrix
    shift = None
    if moments is not None:
        wanted = matrix @ moments.mean
        shift = wanted - top @ (top.T @ wanted)
    parts = (first.reshape(rank, *kernel, depth), (top * sizes).reshape(units, 1, 1, rank))
    return Factoring("svd", (rank,), parts, _lost(energies, rank), shift)


def spatial_energies(weights: F64, moments: Moments | None) -> F64:
    """As svd_energies, of `spatial`."""
    values = np.linalg.svd(_spatial_matrix(weights * _channel_sizes(weights, moments)), compute_uv=False)
    return np.asarray(values**2, np.float64)


def spatial(weights: F64, rank: int, moments: Moments | None) -> Factoring:
    """Columns, then rows, of the window."""
    units, height, width, depth = weights.shape
    channels = _channel_sizes(weights, moments)
    left, values, right = np.linalg.svd(_spatial_matrix(weights * channels), full_matrices=False)
    energies = np.asarray(values**2, np.float64)
    sizes = _sizes(energies[:rank])
    down = left[:, :rank].reshape(height, 1, depth, rank).transpose(3, 0, 1, 2) / channels
    factors = (values[:rank] / sizes)[:, None, None, None]
    across = (right[:rank] * sizes[:, None]).reshape(rank, units, width).transpose(1, 2, 0)[:, None]
    return Factoring("spatial", (rank,), (down * factors, across), _lost(energies, rank))


def tucker_energies(weights: F64, moments: Moments | None) -> tuple[F64, F64]:
    """What each further rank keeps of the output's side, and of the input's. What both drop bounds the error."""
    white = _whitened(weights, moments)
    sides = (white.reshape(len(white), -1), np.moveaxis(white, 3, 0).reshape(white.shape[3], -1))
    one, other = (np.linalg.svd(side, compute_uv=False) ** 2 for side in sides)
    return np.asarray(one, np.float64), np.asarray(other, np.float64)


def tucker(weights: F64, ranks: tuple[int, int], moments: Moments | None) -> Factoring:
    """`ranks`: of the outputs and of the inputs."""
    units, *_, depth = weights.shape
    white = _whitened(weights, moments)
    out, into = _directions(white.reshape(units, -1))[:, : ranks[0]], np.eye(depth)
    for _ in range(_ROUNDS):
        part = np.moveaxis(np.tensordot(out.T, white, 1), 3, 0)
        into = _directions(part.reshape(depth, -1))[:, : ranks[1]]
        out = _directions((white @ into).reshape(units, -1))[:, : ranks[0]]
    core = np.tensordot(out.T, white @ into, 1)
    total = float((white**2).sum())
    error = max(0.0, 1 - float((core**2).sum()) / max(total, _TINY))
    # Back to the channels as they come: the first part takes off what whitening put on.
    first = np.linalg.solve(_root(depth, moments).T, into).T
    outs = _sizes((core**2).sum(axis=(1, 2, 3)))
    parts = (first[:, None, None, :], core / outs[:, None, None, None], (out * outs)[:, None, None, :])
    return Factoring("tucker", ranks, parts, error)


def _output_directions(weights: F64, moments: Moments | None) -> tuple[F64, F64]:
    """Energies of the outputs, largest first, and in columns the directions that have them."""
    matrix = weights.reshape(len(weights), -1)
    if moments is None:
        left, values, _ = np.linalg.svd(matrix, full_matrices=False)
        return values**2, left
    energies, directions = np.linalg.eigh(matrix @ moments.covariance @ matrix.T)
    most = min(matrix.shape)
    return np.maximum(energies[::-1][:most], 0), directions[:, ::-1][:, :most]


def _directions(matrix: F64) -> F64:
    left: F64 = np.linalg.svd(matrix, full_matrices=False)[0]
    return left


def _sizes(energies: F64) -> F64:
    """By what each channel between two parts is divided, so that all come out alike; never 0."""
    sizes = np.sqrt(np.maximum(energies, 0))
    return np.asarray(np.maximum(sizes, max(float(sizes.max(initial=0)) * 1e-6, _TINY)), np.float64)


def _lost(energies: F64, rank: int) -> float:
    return float(energies[rank:].sum() / max(float(energies.sum()), _TINY))


def _spatial_matrix(weights: F64) -> F64:
    """(KH * C, O * KW)."""
    units, height, width, depth = weights.shape
    return weights.transpose(1, 3, 0, 2).reshape(height * depth, units * width)


def _channel_covariance(depth: int, moments: Moments) -> F64:
    """Of the input channels (C, C), around zero, because padding is: the mean over the places of a window."""
    taps = len(moments.mean) // depth
    blocks = moments.covariance.reshape(taps, depth, taps, depth)
    means = moments.mean.reshape(taps, depth)
    every = np.einsum("tctd->cd", blocks) + means.T @ means
    return np.asarray(every / taps, np.float64)


def _channel_sizes(weights: F64, moments: Moments | None) -> F64:
    depth = weights.shape[3]
    if moments is None:
        return np.ones(depth)
    energy = np.diag(_channel_covariance(depth, moments))
    return np.asarray(np.sqrt(np.maximum(energy, max(1e-3 * float(energy.mean()), _TINY))), np.float64)


def _root(depth: int, moments: Moments | None) -> F64:
    """L with L L^T the covariance of the input channels, which is made regular."""
    if moments is None:
        return np.eye(depth)
    every = _channel_covariance(depth, moments)
    steady = max(1e-4 * float(np.trace(every)) / depth, _TINY)
    return np.asarray(np.linalg.cholesky(every + steady * np.eye(depth)), np.float64)


def _whitened(weights: F64, moments: Moments | None) -> F64:
    return np.asarray(weights @ _root(weights.shape[3], moments), np.float64)
