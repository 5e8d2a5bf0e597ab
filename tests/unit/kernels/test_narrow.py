"""Narrow weights: found by their values, packed without loss."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from differential.draw_tensors import Case, narrow_weights, one_op
from midge.boards import load_board
from midge.ir.graph import NO_CLAMP
from midge.ir.tensor import Array, DType, Quant, Tensor
from midge.kernels.narrow import FIELDS, Narrow, clustered, narrow, packings
from midge.kernels.packed import pack
from midge.kernels.select import layer_of, select, variants
from midge.ops.fully_connected import FullyConnected
from midge.settings import Goal


def _tensor(data: Array) -> Tensor:
    return Tensor("w", data.shape, DType.S8, Quant.per_tensor(0.1, 0), data.astype(np.int8))


def _unpacked(packed: Array, width: str, count: int) -> list[int]:
    """By division and remainders, digit by digit."""
    found: list[int] = []
    for byte in packed.astype(int).tolist():
        if width == "ternary":
            whole = byte * 243 // 256 + (byte * 243 % 256 > 0) if byte else 0
            digits = next(n for n in range(whole + 1) if -(-n * 256 // 243) == byte)
            found += [digits // 3**k % 3 - 1 for k in (4, 3, 2, 1, 0)]
            continue
        per_byte = FIELDS[width][2]  # type: ignore[index]
        base = 2 ** (8 // per_byte)
        fields = [byte // base**k % base for k in range(per_byte)]
        found += [2 * f - 1 if width == "binary" else f - base * (f >= base // 2) for f in fields]
    return found[:count]


@pytest.mark.parametrize("width", FIELDS)
def test_packed_bytes_hold_every_weight(width: str) -> None:
    low, high, per_byte = FIELDS[width]  # type: ignore[index]
    rng = np.random.default_rng(5)
    rows = rng.choice([-1, 1], (7, 33)) if width == "binary" else rng.integers(low, high + 1, (7, 33))
    packed = pack(Narrow(width, rows, np.ones(7)))  # type: ignore[arg-type]
    assert len(packed) == -(-rows.size // per_byte)
    assert _unpacked(packed, width, rows.size) == rows.reshape(-1).tolist()


def test_a_channel_that_is_a_multiple_of_narrow_integers_is_narrow() -> None:
    data = np.array([[-127, 127, 127], [9, -9, 9]])
    found = narrow(_tensor(data), 0)
    assert found is not None
    assert (found.width, found.gains.tolist(), found.gain) == ("binary", [127, 9], None)
    assert (found.rows * found.gains[:, None] == data).all()


@pytest.mark.parametrize(
    ("values", "width"),
    [([-1, 1], "binary"), ([-5, 5, 0], "ternary"), ([-2, 1], "int2"), ([-8, 7], "int4"), ([2, -3], "int4")],
)
def test_the_narrowest_width_is_found(values: list[int], width: str) -> None:
    found = narrow(_tensor(np.array([values])), 0)
    assert found is not None
    assert found.width == width


@pytest.mark.parametrize("values", [[8, 7], [-9, 1], [127, 3]])
def test_weights_that_need_eight_bits_are_left_alone(values: list[int]) -> None:
    assert narrow(_tensor(np.array([values])), 0) is None


def _indices(packed: Array, bits: int, count: int) -> list[int]:
    """By divisions of one long number, its lowest byte first."""
    number = int.from_bytes(packed.tobytes(), "little")
    return [number // 2 ** (bits * i) % 2**bits for i in range(count)]


@pytest.mark.parametrize(("values", "bits"), [(3, 2), (4, 2), (5, 4), (16, 4), (17, 6), (64, 6)])
def test_weights_of_few_values_are_indices_into_a_table(values: int, bits: int) -> None:
    rng = np.random.default_rng(values)
    table = rng.permutation(np.arange(-128, 128))[:values]
    data = np.concatenate([table, rng.choice(table, 33 * 11 - values)]).reshape(11, 33)
    found = clustered(_tensor(data), 0)
    assert found is not None
    assert found.table is not None
    assert found.width == f"index{bits}"
    packed = pack(found)
    assert found.bytes == len(packed) + values
    assert found.table[_indices(packed, bits, data.size)].tolist() == data.reshape(-1).tolist()


def test_a_table_that_saves_nothing_is_none() -> None:
    assert clustered(_tensor(np.arange(20).reshape(4, 5)), 0) is None
    assert clustered(_tensor(np.resize(np.arange(65), (40, 40))), 0) is None


def test_fewer_bits_come_first_and_integers_before_indices() -> None:
    data = np.resize([-7, -2, 1, 6], (8, 16))
    layer = layer_of(_case(8, 16).graph, 0)
    few = replace(layer, inputs=(layer.inputs[0], _tensor(data)))
    assert [found.width for found in packings(few)] == ["index2", "int4"]
    signs = replace(layer, inputs=(layer.inputs[0], _tensor(np.sign(data))))
    assert [found.width for found in packings(signs)] == ["binary", "index2"]


def _case(units: int, depth: int) -> Case:
    rng = np.random.default_rng(3)
    weights = narrow_weights(_tensor(np.zeros((units, depth))), 0, rng, most_gain=1)
    x = Tensor("x", (1, depth), DType.S8, Quant.per_tensor(0.1, 0))
    y = Tensor("y", (1, units), DType.S8, Quant.per_tensor(5.0, 0))
    return one_op(FullyConnected(name="layer", inputs=("x", "w"), outputs=("y",), clamp=NO_CLAMP), [x, weights], y, rng)


def _chosen(case: Case, board: str, goal: Goal) -> str:
    chosen = select(case.graph, load_board(board).core, goal).variants[0]
    assert chosen is not None
    return chosen.name


@pytest.mark.parametrize("board", ["nucleo_l4r5zi", "uno", "rv32imc"])
def test_size_packs_and_speed_does_not(board: str) -> None:
    case = _case(64, 64)
    assert "packed" in _chosen(case, board, "size")
    assert "packed" not in _chosen(case, board, "speed")


def test_a_handful_of_weights_is_not_worth_unpacking_code() -> None:
    assert "packed" not in _chosen(_case(3, 8), "uno", "size")


def test_packed_kernels_cannot_do_weights_of_eight_bits() -> None:
    case = _case(8, 8)
    layer = layer_of(case.graph, 0)
    wide = replace(layer, inputs=(layer.inputs[0], _tensor(np.arange(64).reshape(8, 8))))
    assert not any(v.packed and v.fits(wide) for v in variants("fully_connected"))
