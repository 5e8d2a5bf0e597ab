"""Before a long training: whether what was pruned, or is to be, gains anything on the board."""

from __future__ import annotations

import warnings

import msgspec

from midge.compress import prune
from midge.compress.apply import Material
from midge.compress.steps import Train
from midge.errors import MidgeError
from midge.ir.graph import Graph

# A training of fewer multiply-accumulates, there and back, takes minutes: it may as well be done.
_LONG = 10**12


class NoGainWarning(UserWarning):
    """Compression of this kind saves neither time nor flash on the board that was asked for."""


def warn_without_gain(graph: Graph, options: Train, material: Material) -> None:
    """Warns with NoGainWarning where a long training would recover the accuracy of a network that gains nothing.

    What `options.prune` will do is tried at once, without training. Silent where the gain cannot be measured.
    """
    samples = 0 if material.data is None else len(material.data.calibrate)
    if 3 * options.epochs * samples * graph.macs < _LONG or (options.prune is None and graph is material.original):
        return
    # Here: what is above the pipeline is needed by long trainings alone.
    from midge.tune.gain import gain

    made = graph
    try:
        if options.prune is not None:
            made = prune.apply(graph, msgspec.structs.replace(options.prune, rounds=1, reconstruct=False), material)
        found = gain(material.original, made, material.settings, material.data)
    except MidgeError:
        return
    if found.is_nothing:
        warnings.warn(found.sentence, NoGainWarning, stacklevel=2)
