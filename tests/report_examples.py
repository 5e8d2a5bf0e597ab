"""Reports to render and compare."""

from __future__ import annotations

from typing import Any

import msgspec

from midge.report.record import (
    Accuracy,
    Clock,
    Cycles,
    Exact,
    Flash,
    Instructions,
    LayerCycles,
    Model,
    Ram,
    Report,
    Toolchain,
)

LAYERS = (
    LayerCycles(name="conv_1", op="Conv2D", kernel="smlad", macs=320_000, cycles=640_123, instructions=500_000),
    LayerCycles(
        name="model/depthwise_conv2d_1/BiasAdd;model/batch_normalization_1/FusedBatchNormV3",
        op="DepthwiseConv2D",
        kernel="portable",
        macs=72_000,
        cycles=355_555,
        instructions=300_000,
    ),
    LayerCycles(name="softmax", op="Softmax", kernel="table", macs=0, cycles=4_322, instructions=3_000),
)

REPORT = Report(
    midge_version="0.1.0",
    model=Model(name="kws", sha256="0123456789abcdef" * 4, macs=392_000),
    precision="int8",
    board="nucleo_l4r5zi",
    core="cortex-m4f",
    toolchain=Toolchain(compiler="arm-none-eabi-gcc", version="12.2.1", flags=("-mcpu=cortex-m4", "-O2")),
    clock=Clock(
        kind="modelled cycles",
        basis="model, validated to -0.6 to -2.7 % on pqm4 at zero wait states",
        hz=120_000_000,
        wait_states=0,
        chip_wait_states=5,
    ),
    instructions=Instructions(total=804_000),
    cycles=Cycles(total=1_001_000, per_layer=LAYERS),
    latency_us=8341.67,
    latency_is="lower bound",
    flash=Flash(
        code_bytes=9_000, const_bytes=52_000, harness_bytes=6_500, total_bytes=67_500, available_bytes=2_097_152
    ),
    ram=Ram(
        arena_bytes=16_000,
        arena_lower_bound_bytes=16_000,
        scratch_bytes=0,
        static_bytes=16,
        stack_bytes=488,
        stack_reserved_bytes=16_384,
        harness_bytes=1_200,
        total_bytes=17_704,
        available_bytes=655_360,
    ),
    exact=Exact(against="interpreter", samples=499, values=5_988, mismatches=0, max_difference=0.0),
    accuracy=Accuracy(metric="top-1 accuracy", samples=499, float_=91.58, integer=91.38, device=91.38),
)


def changed(report: Report = REPORT, **parts: Any) -> Report:
    """`report` with other values: a dict changes fields of a part, anything else replaces it."""
    merged = {
        name: msgspec.structs.replace(getattr(report, name), **new) if isinstance(new, dict) else new
        for name, new in parts.items()
    }
    return msgspec.structs.replace(report, **merged)
