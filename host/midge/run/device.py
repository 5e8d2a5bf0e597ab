"""What runs a compiled network: one inference at a time, arrays in and arrays out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from midge.errors import LinkError
from midge.interpreter import interpret_all, next_states
from midge.ir.graph import Graph
from midge.ir.tensor import Array
from midge.lower.program import Port
from midge.run.conversation import Conversation
from midge.run.costs import Cost


@dataclass(frozen=True, eq=False)
class Sample:
    """One inference: outputs, the device's own ticks per layer and in all, and what the run cost as seen from outside.

    `cycles` and `instructions` are those of one call of midge_<model>_run, `functions` each function's own share;
    0 and empty where nothing counts them.
    """

    outputs: list[Array]
    layer_ticks: tuple[int, ...] = ()
    total_ticks: int = 0
    cycles: int = 0
    instructions: int = 0
    functions: Mapping[str, Cost] = field(default_factory=dict)


class Device(Protocol):
    """Anything that infers: the interpreter, the host build, an emulated core, a board."""

    def infer(self, inputs: Sequence[Array]) -> Sample:
        """The network's outputs for one sample."""

    def reset(self) -> None:
        """Forget all earlier samples: what comes next begins a sequence."""


@dataclass(frozen=True, eq=False)
class Interpreter:
    """The definition as a device."""

    graph: Graph
    _states: dict[str, Array] = field(default_factory=dict)

    def infer(self, inputs: Sequence[Array]) -> Sample:
        """The interpreter's outputs."""
        values = self.all_values(inputs)
        return Sample([values[name] for name in self.graph.outputs])

    def all_values(self, inputs: Sequence[Array]) -> Mapping[str, Array]:
        """The value of every tensor by name."""
        values = interpret_all(self.graph, inputs, self._states or None)
        self._states.update(next_states(self.graph, values))
        return values

    def reset(self) -> None:
        """Forget all earlier samples."""
        self._states.clear()


@dataclass(frozen=True, eq=False)
class LinkedDevice:
    """A firmware at the other end of a serial port. `says_kernels`: it has said that its layers run the kernels that
    were compiled."""

    conversation: Conversation
    outputs: tuple[Port, ...]
    says_kernels: bool = False

    def infer(self, inputs: Sequence[Array]) -> Sample:
        """Sends the inputs, runs, and fetches the outputs."""
        answer = self.conversation.infer([np.ascontiguousarray(value).tobytes() for value in inputs])
        if [len(data) for data in answer.outputs] != [port.bytes for port in self.outputs]:
            raise LinkError("the firmware's outputs have other sizes than the model's", hint="build and flash it again")
        arrays = [
            np.frombuffer(data, port.dtype.numpy).reshape(port.shape)
            for data, port in zip(answer.outputs, self.outputs, strict=True)
        ]
        return Sample(arrays, tuple(answer.layer_ticks), answer.total_ticks)

    def reset(self) -> None:
        """Has the firmware forget all earlier samples."""
        self.conversation.reset()
