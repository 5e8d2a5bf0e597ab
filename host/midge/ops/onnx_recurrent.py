"""ONNX's LSTM, GRU and RNN over a sequence of known length, unrolled step by step.

One direction, the default activations, no peepholes and no clipping. The state starts at zero, or at a constant or
computed tensor that the file gives, and is gone after the call: state between calls is an input and an output.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from midge.ir.graph import NO_CLAMP
from midge.ir.tensor import Array, Tensor
from midge.ops.add import Add
from midge.ops.concatenation import Concatenation
from midge.ops.formats import UnsupportedOp
from midge.ops.fully_connected import FullyConnected
from midge.ops.logistic import Logistic
from midge.ops.mul import Mul
from midge.ops.onnx_nodes import OnnxNode
from midge.ops.slice import Slice
from midge.ops.sub import Sub
from midge.ops.tanh import Tanh

_MOST_STEPS = 256
_DEFAULTS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}


@dataclass(frozen=True, eq=False)
class _Cell:
    """Weights of one direction: W (gates * H, I), R (gates * H, H), biases of both (gates * H)."""

    node: OnnxNode
    hidden: int
    w: Tensor
    r: Array
    w_bias: Array
    r_bias: Array

    def product(self, x: Tensor, weights: Array, bias: Array, role: str) -> Tensor:
        """x (B, I) times weights, plus bias."""
        inputs = [x, self.node.new_constant(f"{role}_weights", weights), self.node.new_constant(f"{role}_bias", bias)]
        return self.node.add(FullyConnected, inputs, role, clamp=NO_CLAMP)

    def part(self, gates: Tensor, index: int, role: str, count: int = 1) -> Tensor:
        """Gates `index` to `index + count` of (B, gates * H)."""
        batch, first, size = gates.shape[0], index * self.hidden, count * self.hidden
        ranges = ((0, batch, 1), (first, size, 1))
        return self.node.add(Slice, [gates], role, ranges=ranges, shape=(batch, size))

    def two(self, kind: type[Add] | type[Sub] | type[Mul], x: Tensor, y: Tensor | None, role: str) -> Tensor:
        """x and y added or multiplied; x where there is no y."""
        return x if y is None else self.node.add(kind, [x, y], role, clamp=NO_CLAMP)


_State = tuple[Tensor | None, Tensor | None]
_Step = Callable[[_Cell, Tensor, Tensor | None, Tensor | None, str], _State]


def _lstm_step(cell: _Cell, x: Tensor, h: Tensor | None, c: Tensor | None, at: str) -> _State:
    """Gates in the order input, output, forget, cell."""
    from_h = None if h is None else cell.product(h, cell.r, np.zeros(len(cell.r)), f"{at}/h")
    gates = cell.two(Add, x, from_h, f"{at}/gates")
    open_, new = (
        cell.node.add(Logistic, [cell.part(gates, 0, f"{at}/iof", 3)], f"{at}/open"),
        cell.part(gates, 3, f"{at}/c"),
    )
    i, o, f = (cell.part(open_, k, f"{at}/{name}") for k, name in enumerate("iof"))
    added = cell.two(Mul, i, cell.node.add(Tanh, [new], f"{at}/new"), f"{at}/added")
    kept = None if c is None else cell.two(Mul, f, c, f"{at}/kept")
    state = cell.two(Add, added, kept, f"{at}/state")
    return cell.two(Mul, o, cell.node.add(Tanh, [state], f"{at}/tanh"), f"{at}/out"), state


def _gru_step(cell: _Cell, x: Tensor, h: Tensor | None, _: Tensor | None, at: str) -> _State:
    """Gates in the order update, reset, hidden; x has the input's products, without the recurrent biases."""
    node, size = cell.node, cell.hidden
    r_open, r_new = cell.r[: 2 * size], cell.r[2 * size :]
    b_open, b_new = cell.r_bias[: 2 * size], cell.r_bias[2 * size :]
    if h is None:
        from_h = node.new_constant(f"{at}/open_bias", b_open)
    else:
        from_h = cell.product(h, r_open, b_open, f"{at}/open_h")
    open_ = node.add(Logistic, [cell.two(Add, cell.part(x, 0, f"{at}/zr", 2), from_h, f"{at}/open_sum")], f"{at}/open")
    z, r, new = cell.part(open_, 0, f"{at}/z"), cell.part(open_, 1, f"{at}/r"), cell.part(x, 2, f"{at}/x_new")
    if node.attributes.get("linear_before_reset", 0):
        bias = node.new_constant(f"{at}/new_bias", b_new)
        inner = bias if h is None else cell.product(h, r_new, b_new, f"{at}/new_h")
        recurrent: Tensor = cell.two(Mul, r, inner, f"{at}/reset")
    elif h is None:
        recurrent = node.new_constant(f"{at}/new_bias", b_new)
    else:
        recurrent = cell.product(cell.two(Mul, r, h, f"{at}/reset"), r_new, b_new, f"{at}/new_h")
    candidate = node.add(Tanh, [cell.two(Add, new, recurrent, f"{at}/new_sum")], f"{at}/new")
    rest = node.add(Sub, [node.new_constant(f"{at}/one", np.array(1.0)), z], f"{at}/rest", clamp=NO_CLAMP)
    taken = cell.two(Mul, rest, candidate, f"{at}/taken")
    return cell.two(Add, taken, None if h is None else cell.two(Mul, z, h, f"{at}/kept"), f"{at}/out"), None


def _rnn_step(cell: _Cell, x: Tensor, h: Tensor | None, _: Tensor | None, at: str) -> _State:
    from_h = None if h is None else cell.product(h, cell.r, np.zeros(len(cell.r)), f"{at}/h")
    return cell.node.add(Tanh, [cell.two(Add, x, from_h, f"{at}/sum")], f"{at}/out"), None


def _reader(step: _Step, gates: int, recurrent_bias_apart: bool) -> Callable[[OnnxNode], list[Tensor]]:
    def read(node: OnnxNode) -> list[Tensor]:
        _check(node)
        x = node.tensor(0, rank=3)
        steps, batch, _ = x.shape
        hidden = node.constant(2).shape[2]
        cell = _cell(node, gates, hidden)
        bias = cell.w_bias if recurrent_bias_apart else cell.w_bias + cell.r_bias
        weights = [cell.w, node.new_constant("w_bias", bias)]
        products = node.add(FullyConnected, [x, *weights], "x", clamp=NO_CLAMP, keep_num_dims=True)
        h, c = (_initial(node, index, (batch, hidden)) for index in (5, 6))
        outputs: list[Tensor] = []
        order = range(steps) if node.attributes.get("direction", "forward") == "forward" else range(steps)[::-1]
        for t in order:
            ranges = ((t, 1, 1), (0, batch, 1), (0, gates * hidden, 1))
            row = node.add(Slice, [products], f"{t}/x", ranges=ranges, shape=(batch, gates * hidden))
            h, c = step(cell, row, h, c, str(t))
            assert h is not None
            outputs.append(h)
        ordered = outputs if order == range(steps) else outputs[::-1]
        whole = [node.reshape(y, (1, 1, batch, hidden), f"y{i}") for i, y in enumerate(ordered)]
        y = whole[0] if steps == 1 else node.add(Concatenation, whole, "y", axis=0)
        ends = [node.reshape(e, (1, batch, hidden), role) for e, role in ((outputs[-1], "y_h"), (c, "y_c")) if e]
        return [y, *ends]

    return read


def _check(node: OnnxNode) -> None:
    """Raises UnsupportedOp for what is not unrolled."""
    used = [str(name) for name in node.attributes.get("activations", _DEFAULTS[node.code])]
    asked = {
        "bidirectional": node.attributes.get("direction", "forward") not in ("forward", "reverse"),
        f"activations {used}": used != _DEFAULTS[node.code],
        "clipping": "clip" in node.attributes,
        "layout 1": bool(node.attributes.get("layout", 0)),
        "coupled gates": bool(node.attributes.get("input_forget", 0)),
        "peepholes": node.optional(7) is not None,
        "lengths of sequences": node.optional(4) is not None,
        f"{node.tensor(0, rank=3).shape[0]} steps": node.tensor(0).shape[0] > _MOST_STEPS,
    }
    if reasons := [what for what, is_asked in asked.items() if is_asked]:
        raise UnsupportedOp(", ".join(reasons), f"one direction, default activations, up to {_MOST_STEPS} steps")


def _cell(node: OnnxNode, gates: int, hidden: int) -> _Cell:
    w, r = node.constant(1), node.constant(2)
    if w.shape[:2] != (1, gates * hidden) or r.shape != (1, gates * hidden, hidden):
        raise ValueError(f"weights {w.shape} and {r.shape} for {hidden} units")
    both = np.zeros(2 * gates * hidden) if node.optional(3) is None else node.constant(3).reshape(-1)
    w_bias, r_bias = np.split(both.astype(np.float64), 2)
    return _Cell(node, hidden, node.new_constant("w", w[0]), r[0], w_bias, r_bias)


def _initial(node: OnnxNode, index: int, shape: tuple[int, int]) -> Tensor | None:
    """The state to start from; None for zeros."""
    given = node.optional(index)
    if given is None or (given.data is not None and not given.data.any()):
        return None
    if given.is_constant:
        raise UnsupportedOp("a state that starts at constants other than 0", "start at 0, or make it an input")
    return node.reshape(given, shape, f"initial{index}")


ONNX = {"GRU": _reader(_gru_step, 3, True), "LSTM": _reader(_lstm_step, 4, False), "RNN": _reader(_rnn_step, 1, False)}
