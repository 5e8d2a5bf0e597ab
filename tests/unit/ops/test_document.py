"""The page of operators is what the docstrings say."""

from __future__ import annotations

from pathlib import Path

from midge.importers.tflite_states import CODES
from midge.ops import readers
from midge.ops.document import LACKING, document

PAGE = Path(__file__).parents[3] / "docs" / "operators.md"


def test_the_page_of_operators_is_current() -> None:
    assert PAGE.read_text() == document(), "python -m midge.ops.document docs/operators.md"


def test_every_operator_that_a_file_can_have_is_on_the_page() -> None:
    text = document()
    assert all(code in text for code in readers("TFLITE"))


# The built-in operators that TensorFlow Lite for Microcontrollers registers. Source:
# tensorflow/lite/micro/micro_mutable_op_resolver.h of tensorflow/tflite-micro.
MICRO = """
ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND BROADCAST_ARGS BROADCAST_TO
CALL_ONCE CAST CEIL CIRCULAR_BUFFER CONCATENATION CONV_2D COS CUMSUM DEPTH_TO_SPACE DEPTHWISE_CONV_2D DEQUANTIZE DIV
DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER
GATHER_ND GREATER GREATER_EQUAL HARD_SWISH IF L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND
LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL PACK PAD PADV2
PRELU QUANTIZE READ_VARIABLE REDUCE_MAX REDUCE_MIN RELU RELU6 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2
ROUND RSQRT SELECT_V2 SHAPE SIN SLICE SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE
SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH TFLite_Detection_PostProcess TRANSPOSE TRANSPOSE_CONV
UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK VAR_HANDLE WHILE ZEROS_LIKE
"""


def test_what_other_firmware_has_is_done_or_named_with_what_to_do_instead() -> None:
    named = {code for codes in LACKING for code in codes.split(", ")}
    done = {*readers("TFLITE"), *CODES}
    assert set(MICRO.split()) <= named | done
    assert not named & done
