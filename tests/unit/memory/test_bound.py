"""The planner's lower bound on cases worked out by hand."""

from midge.memory.bound import lower_bound, shareable_bytes
from midge.memory.plan import Buffer, Overlap


def test_an_empty_request_needs_nothing() -> None:
    assert lower_bound([], []) == 0


def test_the_bound_is_the_fullest_step() -> None:
    chain = [Buffer("a", 100, 0, 1), Buffer("b", 60, 1, 2), Buffer("c", 200, 2, 3), Buffer("d", 40, 3, 3)]
    assert lower_bound(chain, []) == 260


def test_rounding_up_to_the_alignment_counts_for_all_but_the_last() -> None:
    # 5 and 6 bytes at multiples of 4: one of them starts at 8, the better plan ends at 8 + 5.
    assert lower_bound([Buffer("a", 5, 0, 0), Buffer("b", 6, 0, 0)], []) == 13


def test_a_single_buffer_is_not_rounded() -> None:
    assert lower_bound([Buffer("a", 5, 0, 0)], []) == 5


def test_an_in_place_layer_needs_its_larger_side() -> None:
    pair = [Buffer("in", 100, 0, 1), Buffer("out", 80, 1, 2)]
    assert lower_bound(pair, [Overlap("out", "in", 0)]) == 100


def test_a_distance_adds_to_the_input() -> None:
    assert shareable_bytes(100, 80, 0) == 80
    assert shareable_bytes(100, 80, 20) == 80
    assert shareable_bytes(100, 80, 30) == 70
    assert shareable_bytes(100, 80, 100) == 0
    assert shareable_bytes(100, 80, 500) == 0
    assert shareable_bytes(80, 100, -7) == 80


def test_an_output_shares_no_more_than_it_has_with_two_inputs() -> None:
    buffers = [Buffer("a", 100, 0, 1), Buffer("b", 100, 0, 1), Buffer("sum", 100, 1, 2)]
    assert lower_bound(buffers, [Overlap("sum", "a", 0), Overlap("sum", "b", 0)]) == 200
