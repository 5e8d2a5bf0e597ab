"""The records of docs/compression.json, from what was measured of each row and seed, and the limits that must hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from compression_rows import rows
from compression_tasks import BINDING, BOARD, CHECKED, EFFORTS, LEVERS_NET

from midge.ir.tensor import Array
from midge.measure.paired import paired

_MACS_CYCLES = 6.0


def record_of(
    net: str, key: str, found: Mapping[int, Mapping[str, Any]], others: Mapping[tuple[str, str, int], Mapping[str, Any]]
) -> dict[str, Any]:
    """One record: means over seeds; points lost with the mean ends of their 95 % intervals; costs of the first seed."""
    row, first = rows(EFFORTS[net])[key], found[0]
    percents = {seed: 100 * float(np.mean(right_of(one))) for seed, one in found.items()}
    exact = [100 * float(np.mean(right_of(others[net, "float", seed]))) for seed in found]
    lost = [asdict(paired(right_of(others[net, row.against, seed]), right_of(one))) for seed, one in found.items()]
    points, low, high = (float(np.mean([one[name] for one in lost])) for name in ("points", "low", "high"))
    made = {
        "model": net,
        "row": key,
        "title": row.title,
        "technique": row.technique,
        **row.facts,
        "trained": row.is_trained,
        "accuracy": round(float(np.mean(list(percents.values()))), 3),
        "accuracy_float": round(float(np.mean(exact)), 3),
        "accuracies": [round(p, 3) for p in percents.values()],
        "samples": first["samples"],
        "checked": CHECKED,
        "board": BOARD,
        "seeds": len(found),
        "drop": {"against": row.against, "points": round(points, 3), "low": round(low, 3), "high": round(high, 3)},
        "limit": row.limit,
        "must_beat": row.must_beat,
    }
    costs = ("const_bytes", "code_bytes", "cycles", "macs", "weights", "weights_not_zero")
    return made | {name: first[name] for name in costs}


def right_of(found: Mapping[str, Any]) -> Array:
    """Which samples are right, from the bits that are kept."""
    bits = np.frombuffer(bytes.fromhex(found["right"]), np.uint8)
    return np.unpackbits(bits)[: found["samples"]].astype(bool)


def missed(record: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every limit that does not hold, in words."""
    known = {(r["model"], r["row"]): r for r in record}
    failed = []
    for r in (r for r in record if r["model"] in BINDING):
        if r["limit"] is not None and r["drop"]["points"] > r["limit"]:
            failed.append(f"{r['model']} {r['row']} loses {r['drop']['points']:.2f} points, not {r['limit']:g}")
        other = known.get((r["model"], r["must_beat"]))
        if other is not None and r["accuracy"] <= other["accuracy"]:
            failed.append(f"{r['model']} {r['row']} is no better than {r['must_beat']}")
    return failed + _levers_missed(known)


def _levers_missed(known: Mapping[tuple[str, str], Mapping[str, Any]]) -> list[str]:
    start = known.get((LEVERS_NET, "float"))
    if start is None:
        return []
    failed = []
    if start["cycles"] > _MACS_CYCLES * start["macs"]:
        failed.append(f"the float C takes {start['cycles'] / start['macs']:.2f} cycles per MAC")
    for key, (smaller, faster) in {"int8": (3.8, 2.5), "together": (12.0, 6.0)}.items():
        r = known.get((LEVERS_NET, key))
        if r is None:
            continue
        if start["const_bytes"] < smaller * r["const_bytes"]:
            failed.append(f"{key}: constants only {start['const_bytes'] / r['const_bytes']:.2f} times smaller")
        if start["cycles"] < faster * r["cycles"]:
            failed.append(f"{key}: only {start['cycles'] / r['cycles']:.2f} times faster")
    return failed
