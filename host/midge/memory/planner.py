"""From buffers with lifetimes to offsets in one static arena.

Good orders of first fit usually reach the lower bound at once. Where they do not, a squeaky wheel looks for a better
order and branch and bound looks for a proof, both limited by a number of placements and never by a clock: the same
request gives the same plan on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence

from midge.memory.bound import lower_bound
from midge.memory.conflicts import Problem, state_problem
from midge.memory.exact import branch_and_bound
from midge.memory.greedy import Placement, first_fit, known_orders, squeaky_wheel
from midge.memory.plan import Buffer, MemoryPlan, Overlap, check_request, verify_plan

__all__ = ["DEADLINE_NODES", "Buffer", "MemoryPlan", "Overlap", "plan_memory", "verify_plan"]

DEADLINE_NODES = 30_000
"""Placements that a plan may cost, below a second for 200 buffers."""

# As the buffers above them are aligned.
_STATE_ALIGNMENT = 4


def plan_memory(
    buffers: Sequence[Buffer],
    overlaps: Sequence[Overlap] = (),
    states: Sequence[Buffer] = (),
    *,
    deadline_nodes: int = DEADLINE_NODES,
) -> MemoryPlan:
    """Offsets for all buffers in as small an arena as `deadline_nodes` placements can find.

    `states` are alive in every step and lie below all others, where nothing is reused. Deterministic. The result has
    been through `verify_plan`; its `gap_bytes` is what may be left to gain. Raises InternalError for a request that
    makes no sense.
    """
    check_request((*buffers, *states), overlaps)
    bound = lower_bound(buffers, overlaps)
    problem = state_problem(buffers, overlaps)
    placement, optimal = _search(problem, bound, deadline_nodes)
    offsets = {b.name: at for b, at in zip(buffers, placement.offsets)}
    plan = MemoryPlan(offsets, placement.peak, bound, optimal)
    if states:
        plan = _with_states(plan, states, lower_bound((*buffers, *states), overlaps))
    verify_plan((*buffers, *states), overlaps, plan)
    return plan


def _with_states(plan: MemoryPlan, states: Sequence[Buffer], bound: int) -> MemoryPlan:
    """The plan with the states below it. Moving what lives always to the bottom costs no plan anything."""
    offsets, end = {}, 0
    for state in states:
        offsets[state.name] = end
        end += -(-state.bytes // _STATE_ALIGNMENT) * _STATE_ALIGNMENT
    offsets.update({name: end + at for name, at in plan.offsets.items()})
    return MemoryPlan(offsets, end + plan.arena_bytes, bound, plan.optimal, end)


def _search(problem: Problem, bound: int, nodes: int) -> tuple[Placement, bool]:
    orders = sorted(known_orders(problem), key=lambda order: first_fit(problem, order).peak)
    best = first_fit(problem, orders[0])
    for order in orders[:3]:
        if best.peak > bound:
            wheel = squeaky_wheel(problem, order, bound, nodes // 3)
            best = min(best, wheel, key=lambda p: p.peak)
    # One placement of branch and bound looks at every buffer, one of first fit at its neighbors: some ten.
    return branch_and_bound(problem, best, bound, nodes * 10 // max(10, len(problem.sizes)))
