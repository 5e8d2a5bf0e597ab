"""What a firmware says of its kernels is held against what was compiled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from midge.errors import LinkError
from midge.importers import import_model
from midge.kernels.select import kinds, variants
from midge.kernels.variant import kernel_number
from midge.pipeline import compile_model
from midge.run.layer_kernels import says_kernels
from midge.settings import Settings

MODEL = Path(__file__).parents[3] / "examples" / "digits" / "digits_mlp.tflite"


def test_no_two_variants_of_an_operator_share_a_number() -> None:
    for kind in kinds():
        numbers = [kernel_number(kind, variant.name) for variant in variants(kind)]
        assert len(set(numbers)) == len(numbers), kind


def test_the_right_kernels_are_taken_and_others_refused_by_name() -> None:
    program = compile_model(import_model(MODEL), Settings(board="uno", precision="as-is")).program
    right = tuple(call.kernel_number for call in program.calls)

    def says(*numbers: int) -> bool:
        conversation = SimpleNamespace(kernels=lambda: numbers or None)
        return says_kernels(conversation, program)  # type: ignore[arg-type]

    assert says(*right)
    assert not says()
    with pytest.raises(LinkError, match=r"layer 1 .* runs portable on the board, and was compiled for avr_row"):
        says(right[0], kernel_number("fully_connected", "portable"))
    with pytest.raises(LinkError, match="does not know"):
        says(right[0], right[1] ^ 1)
    with pytest.raises(LinkError, match="1 layers, the model 2"):
        says(right[0])


def test_the_number_that_firmware_gets_is_the_call_s() -> None:
    compiled = compile_model(import_model(MODEL), Settings(board="uno", precision="as-is"))
    call = compiled.program.calls[0]
    assert replace(call, variant="portable").kernel_number != call.kernel_number
