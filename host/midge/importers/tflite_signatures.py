"""What a TFLite model's signature calls the network's inputs and outputs: the names that its author gave them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from midge.importers.names import unique_names

_NAME_BYTES = 2048


def signature_names(model: Any, subgraph: int) -> dict[int, str]:
    """The names of inputs and outputs by tensor index, from the first signature of that subgraph."""
    for i in range(model.SignatureDefsLength()):
        signature = model.SignatureDefs(i)
        if signature.SubgraphIndex() != subgraph:
            continue
        ends = [signature.Inputs(j) for j in range(signature.InputsLength())]
        ends += [signature.Outputs(j) for j in range(signature.OutputsLength())]
        found: dict[int, str] = {}
        for end in ends:
            name = (end.Name() or b"")[:_NAME_BYTES].decode("utf-8", errors="replace")
            if name:
                found.setdefault(int(end.TensorIndex()), name)
        return found
    return {}


def names_with_signature(raw: Sequence[str], signature: dict[int, str]) -> tuple[str, ...]:
    """Safe and distinct names of all tensors; those of the signature come first to theirs."""
    named = [index for index in signature if index < len(raw)]
    order = [*named, *(index for index in range(len(raw)) if index not in signature)]
    chosen = unique_names(signature.get(index) or raw[index] or f"tensor_{index}" for index in order)
    by_index = dict(zip(order, chosen, strict=True))
    return tuple(by_index[index] for index in range(len(raw)))
