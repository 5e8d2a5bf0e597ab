"""What a TFLite model keeps between calls, as states of the graph: variables behind handles, and variable tensors.

VAR_HANDLE, READ_VARIABLE and ASSIGN_VARIABLE act one after the other on a variable; here they become names. A variable
that is read before it is assigned is a state; later reads mean what was assigned last; what is assigned last is what
the state becomes. A variable tensor (`is_variable`) is the state of the one operator that reads and overwrites it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from midge.importers.flatbuffer import DamagedFile
from midge.importers.names import unique_names
from midge.ir.graph import Op
from midge.ir.tensor import Array, Tensor
from midge.ops.formats import UnsupportedOp

VAR_HANDLE, READ, ASSIGN, CALL_ONCE = "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE"
CODES = (ASSIGN, CALL_ONCE, READ, VAR_HANDLE)

# A variable: its container and its name in it.
Key = tuple[bytes, bytes]

_REMEDY = "export the model again, every variable with one shape and type"


@dataclass(eq=False)
class Variables:
    """The variables of a file while its operators are read in order.

    `initial` has the values that CALL_ONCE assigns, `assigned` the variables that a call assigns, `states` those that
    it reads first, `now` the tensor whose value each one has at this point, `handles` the variable behind each handle.
    """

    initial: Mapping[Key, Array] = field(default_factory=dict)
    assigned: frozenset[Key] = frozenset()
    states: dict[Key, Tensor] = field(default_factory=dict)
    now: dict[Key, Tensor] = field(default_factory=dict)
    handles: dict[int, Key] = field(default_factory=dict)

    def handle(self, index: int, options: Mapping[str, Any]) -> None:
        """VAR_HANDLE: tensor `index` stands for the variable that the options name."""
        container, name = (bytes(options.get(option) or b"") for option in ("Container", "SharedName"))
        self.handles[index] = container, name

    def read(self, handle: int, output: Tensor, taken: Collection[str]) -> Tensor:
        """READ_VARIABLE: the tensor that `output`, as the file declares it, is another name of."""
        key = self._key(handle)
        if key not in self.now:
            self.now[key] = self._first(key, output, taken)
        found = self.now[key]
        _check_kind(key, found, output)
        return found

    def assign(self, handle: int, value: Tensor) -> None:
        """ASSIGN_VARIABLE: from here on the variable has this value."""
        key = self._key(handle)
        if key in self.states:
            _check_kind(key, self.states[key], value)
        self.now[key] = value

    def updates(self) -> dict[str, str]:
        """What each state has become: the graph's `updates`."""
        return {state.name: self.now[key].name for key, state in self.states.items()}

    def _first(self, key: Key, output: Tensor, taken: Collection[str]) -> Tensor:
        """What the variable holds when a call begins: a state, or a constant where no call assigns it."""
        value = self.initial.get(key)
        if value is None:
            raise DamagedFile(f"the variable {_text(key)} is read before anything is assigned to it")
        if (value.shape, value.dtype) != (output.shape, output.dtype.numpy):
            raise UnsupportedOp(
                f"the variable {_text(key)} starts as {value.dtype}{list(value.shape)} and is read as "
                f"{output.dtype.value}{list(output.shape)}",
                _REMEDY,
            )
        if key not in self.assigned:
            return replace(output, data=value)
        state = replace(output, name=_state_name(key, output.name, taken), initial=value)
        self.states[key] = state
        return state

    def _key(self, handle: int) -> Key:
        if handle not in self.handles:
            raise DamagedFile("it uses a variable without a handle: no VAR_HANDLE comes before it")
        return self.handles[handle]


def _check_kind(key: Key, first: Tensor, other: Tensor) -> None:
    if (first.shape, first.dtype, first.quant) != (other.shape, other.dtype, other.quant):
        raise UnsupportedOp(
            f"the variable {_text(key)} is {first.dtype.value}{list(first.shape)} at first, and "
            f"{other.dtype.value}{list(other.shape)}, or of another scale, later",
            _REMEDY,
        )


def _state_name(key: Key, fallback: str, taken: Collection[str]) -> str:
    """The variable's name where it is one that no tensor has, else the name of what first reads it."""
    (name,) = unique_names([_text(key)])
    return name if name not in taken else fallback


def _text(key: Key) -> str:
    return key[1][:80].decode("utf-8", errors="replace") or "without a name"


def updated_states(op: Op, known: dict[str, Tensor]) -> dict[str, str]:
    """The states that `op` overwrites, and the tensors of their next values, which are added to `known`."""
    found: dict[str, str] = {}
    for index, output in op.updates.items():
        state = known[op.inputs[index]]
        if not state.is_state:
            raise DamagedFile(f"its state {state.name} is not a variable tensor")
        known[op.outputs[output]] = replace(state, name=op.outputs[output], initial=None)
        found[state.name] = op.outputs[output]
    return found


def check_variable_tensors(ops: Sequence[Op], tensors: Mapping[str, Tensor], updates: Mapping[str, str]) -> None:
    """A variable tensor belongs to the one operator that updates it. Raises DamagedFile otherwise."""
    for op in ops:
        for name in op.inputs:
            if tensors[name].is_state and name not in updates:
                raise DamagedFile(f"layer {op.name} reads the variable tensor {name}, which nothing updates")
    read = Counter(name for op in ops for name in op.inputs)
    for op in ops:
        for name in (op.inputs[index] for index in op.updates):
            if read[name] != 1:
                raise DamagedFile(f"layer {op.name} overwrites the state {name}, which others read too")


def zeros(tensor: Tensor) -> Array:
    """What a variable tensor holds after a reset: real zeros."""
    quant = tensor.quant
    return np.full(tensor.shape, 0 if quant is None else quant.zero_point, tensor.dtype.numpy)
