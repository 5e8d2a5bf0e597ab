"""Flash of a network's kernels together: what fast ones may take, and who gives way where the board has too little."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from midge.kernels.variant import Layer, Variant

# A variant whose constants take more than so many times the layer's is for few layers: see `share_growth`.
_MODEST_GROWTH = 2
# What such variants may add to the constants of a network, of their bytes.
_GROWTH_SHARE = 0.5


def flash_bytes_of(layer: Layer, variant: Variant) -> int:
    """Flash that the variant's constants take for this layer, and code that depends on it."""
    return sum(c.values.nbytes for c in variant.bind(layer).constants) + variant.code_bytes(layer)


def share_growth(layers: Mapping[int, Layer], ranked: Mapping[int, list[Variant]]) -> None:
    """Drops variants, in place, that more than double their layer's constants, but for the layers where they gain most
    cycles for a byte, as long as all together add no more than half of the network's constants.

    A network stays near its size so, unless somebody asks for more: a variant that is the only one stays.
    """
    room = _GROWTH_SHARE * sum(_constant_bytes(layer) for layer in layers.values())
    gains: list[tuple[float, int, int]] = []
    for index, found in ranked.items():
        layer = layers[index]
        modest = [variant for variant in found if variant.growth(layer) <= _MODEST_GROWTH]
        if modest and modest[0] is not found[0]:
            added = flash_bytes_of(layer, found[0]) - flash_bytes_of(layer, modest[0])
            gained = (variant.cycles(layer) if variant.cycles else 0 for variant in (modest[0], found[0]))
            gains.append(((next(gained) - next(gained)) / max(added, 1), index, added))
    for _, index, added in sorted(gains, reverse=True):
        if added <= room:
            room -= added
        else:
            ranked[index][:] = [v for v in ranked[index] if v.growth(layers[index]) <= _MODEST_GROWTH]


def give_way(layers: Mapping[int, Layer], ranked: Mapping[int, list[Variant]], room: int) -> None:
    """Drops the best variants of layers, in place, until all that are first take at most `room` bytes of flash, or none
    has one behind it that is smaller: first where that saves most."""
    if sum(_most_bytes(layers[index], found[0]) for index, found in ranked.items()) <= room:
        return
    taken = {index: flash_bytes_of(layers[index], found[0]) for index, found in ranked.items()}
    smaller = {index: _smaller(layers[index], found) for index, found in ranked.items()}
    while sum(taken.values()) > room:
        saved = {index: taken[index] - rest[0][0] for index, rest in smaller.items() if rest}
        if not saved:
            return
        most = max(saved, key=lambda index: saved[index])
        taken[most], variant = smaller[most].pop(0)
        del ranked[most][: ranked[most].index(variant)]


def _smaller(layer: Layer, found: Sequence[Variant]) -> list[tuple[int, Variant]]:
    """(bytes, variant) of those that are smaller than all before them, in their order."""
    sizes: list[tuple[int, Variant]] = []
    least = flash_bytes_of(layer, found[0])
    for variant in found[1:]:
        size = flash_bytes_of(layer, variant)
        if size < least:
            least = size
            sizes.append((size, variant))
    return sizes


def _most_bytes(layer: Layer, variant: Variant) -> int:
    """More than its constants take, without packing them."""
    beside = 32 * max(layer.outputs[0].shape[-1:], default=1) + max(variant.code_bytes(layer), 0)
    return variant.growth(layer) * _constant_bytes(layer) + beside


def _constant_bytes(layer: Layer) -> int:
    return sum(t.bytes for t in layer.inputs if t.is_constant)
