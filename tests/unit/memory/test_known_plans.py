"""The planner on networks whose best arena is known."""

from itertools import pairwise

from midge.memory.planner import Buffer, Overlap, plan_memory

# MobileNet v1 x 0.25 on 96 x 96 x 3: stride of each depthwise layer and channels after each pointwise one.
_BLOCKS = [(1, 16), (2, 32), (1, 32), (2, 64), (1, 64), (2, 128), *[(1, 128)] * 5, (2, 256), (1, 256)]


def mobilenet_sizes() -> list[int]:
    side, channels = 48, 8
    sizes = [96 * 96 * 3, side * side * channels]
    for stride, filters in _BLOCKS:
        side //= stride
        sizes += [side * side * channels, side * side * filters]
        channels = filters
    return [*sizes, channels, 2, 2]


def chain(sizes: list[int]) -> list[Buffer]:
    return [Buffer(f"t{i}", size, max(0, i - 1), i) for i, size in enumerate(sizes)]


def test_a_mobilenet_reaches_its_lower_bound() -> None:
    plan = plan_memory(chain(mobilenet_sizes()))
    assert plan.arena_bytes == plan.lower_bound_bytes == 48 * 48 * (8 + 16)
    assert plan.optimal


def test_layers_that_run_in_place_make_the_arena_smaller() -> None:
    sizes = mobilenet_sizes()
    # A pointwise layer from 8 to 16 channels may write behind what it reads: the last pixel's input is read last.
    pairs = list(enumerate(pairwise(sizes)))[2:]
    overlaps = [Overlap(f"t{i + 1}", f"t{i}", max(0, output - into)) for i, (into, output) in pairs]
    plan = plan_memory(chain(sizes), overlaps)
    assert plan.gap_bytes == 0
    assert plan.arena_bytes == 96 * 96 * 3 + 48 * 48 * 8


def test_a_residual_branch_stays_alive_across_its_block() -> None:
    buffers = [Buffer("x", 64, 0, 3), Buffer("a", 64, 1, 2), Buffer("b", 32, 2, 3), Buffer("sum", 64, 3, 4)]
    plan = plan_memory(buffers, [Overlap("sum", "x", 0)])
    assert plan.arena_bytes == plan.lower_bound_bytes == 160
    assert plan.offsets["sum"] <= plan.offsets["x"]


def test_a_bound_out_of_reach_is_reported_as_a_gap_and_the_optimum_as_proven() -> None:
    # The odd byte fits behind the first, but no plan fills all three: the bound knows only that bytes add up.
    buffers = [Buffer("first", 5, 0, 0, 4), Buffer("second", 5, 0, 0, 4), Buffer("odd", 1, 0, 0, 1)]
    plan = plan_memory(buffers)
    assert (plan.arena_bytes, plan.lower_bound_bytes, plan.gap_bytes) == (13, 11, 2)
    assert plan.optimal


def test_a_search_cut_short_claims_no_optimum() -> None:
    buffers = [Buffer("first", 5, 0, 0, 4), Buffer("second", 5, 0, 0, 4), Buffer("odd", 1, 0, 0, 1)]
    plan = plan_memory(buffers, deadline_nodes=0)
    assert plan.arena_bytes >= 13
    assert not plan.optimal


def test_buffers_without_bytes_cost_nothing() -> None:
    plan = plan_memory([Buffer("none", 0, 0, 9), Buffer("some", 12, 0, 9)])
    assert plan.arena_bytes == 12


def test_no_buffers_make_an_empty_arena() -> None:
    assert plan_memory([]).arena_bytes == 0
