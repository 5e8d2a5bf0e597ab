"""Flash of a network's kernels together: what fast ones may take, and who gives way where the board has too little."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from midge.kernels.variant import Layer, Variant

# A variant whose constants take more than so many times the layer's is for few layers: see `share_growth`.
_MODEST_GROWTH = 2
# What such variants may add, of what the others take for the whole network.
_GROWTH_SHARE = 0.25


def flash_bytes_of(layer: Layer, variant: Variant) -> int:
    """Flash that the variant's constants take for this layer, and code that depends on it."""
    return sum(c.values.nbytes for c in variant.bind(layer).constants) + variant.code_bytes(layer)


def share_growth(layers: Mapping[int, Layer], ranked: Mapping[int, list[Variant]]) -> None:
    """Drops variants, in place, that more than double their layer's constants, but for the layers where they gain most
    cycles for a byte, as long as all together add no more than a quarter of what the network takes without them.

    A network stays near its size so, one that is pruned too, unless somebody asks for more: a variant that is the only
    one stays.
    """
    modest = {index: _modest(layers[index], found) for index, found in ranked.items()}
    large = [index for index, found in ranked.items() if modest[index] is not found[0]]
    if not large:
        return
    taken = {index: flash_bytes_of(layers[index], variant) for index, variant in modest.items()}
    room = _GROWTH_SHARE * sum(taken.values())
    gains = []
    for index in large:
        layer, first = layers[index], ranked[index][0]
        added = flash_bytes_of(layer, first) - taken[index]
        gains.append(((_cycles(layer, modest[index]) - _cycles(layer, first)) / max(added, 1), index, added))
    for _, index, added in sorted(gains, reverse=True):
        if added <= room:
            room -= added
        else:
            ranked[index][:] = [v for v in ranked[index] if v.growth(layers[index]) <= _MODEST_GROWTH]


def _modest(layer: Layer, found: Sequence[Variant]) -> Variant:
    """The first that does no more than double the constants, else the first."""
    return next((variant for variant in found if variant.growth(layer) <= _MODEST_GROWTH), found[0])


def _cycles(layer: Layer, variant: Variant) -> int:
    return variant.cycles(layer) if variant.cycles else 0


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
