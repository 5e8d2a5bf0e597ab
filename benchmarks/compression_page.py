"""docs/compression.md from docs/compression.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from compression_records import missed
from compression_tasks import BINDING, LEVERS, LEVERS_NET, TITLES
from tables import table

_HEAD = """# Compression

Made by `make compress-report`; do not edit. Real data, samples of split 0, which nothing was trained, calibrated, tuned
or chosen on. What is trained is the mean over seeds: so many float networks, each compressed with its own seed.

*Lost* are points, the paired difference to the network that is named on the same samples; the ends of its 95 % interval
(Bonett and Price) are averaged over the seeds too. *Constants*, *code* and *cycles* (modelled, see docs/benchmarks.md)
are of the first seed's network on {board}, linked and run on the emulated core; kernels *favor* what `--optimize` says.
Rows are int8 unless they say otherwise; *trained* ones learn from the float network on split 1 and are watched on
split 2.

Answers are those of the torch module that computes what the integers do; the first {checked} samples of each network
are run by the interpreter too, which must give the same classes. docs/compressing.md says how each is done.
"""
_LEVERS = """## The four levers together: {title}

The float C takes {per_mac:.2f} cycles per MAC. The last row is to be 12 times smaller and 6 times faster than float at
no more than 1 point lost; int8 alone 3.8 times smaller and 2.5 times faster at no more than 0.5.
"""
_SMALL = """With 100 clips to train on this shows what can be had without the data that the network came from.
No limit is set.
"""
_VERDICT = "Every limit holds."


def page(record: Sequence[Mapping[str, Any]]) -> str:
    """The whole page."""
    nets = list(dict.fromkeys(r["model"] for r in record))
    first = record[0]
    parts = [_HEAD.format(board=first["board"], checked=first["checked"]), _verdict(record)]
    parts += [_levers(record)] if LEVERS_NET in nets else []
    return "\n".join([*parts, *(_net(net, [r for r in record if r["model"] == net]) for net in nets)])


def _verdict(record: Sequence[Mapping[str, Any]]) -> str:
    failed = missed(record)
    return _VERDICT + "\n" if not failed else "Missed: " + "; ".join(failed) + ".\n"


def _levers(record: Sequence[Mapping[str, Any]]) -> str:
    known = {r["row"]: r for r in record if r["model"] == LEVERS_NET}
    start = known["float"]
    lines = [
        [
            known[key]["title"],
            f"{known[key]['accuracy']:.2f} %",
            f"{start['accuracy'] - known[key]['accuracy']:+.2f}",
            f"{known[key]['const_bytes']:,}",
            f"{start['const_bytes'] / known[key]['const_bytes']:.1f}",
            f"{known[key]['cycles']:,}",
            f"{start['cycles'] / known[key]['cycles']:.1f}",
        ]
        for key in LEVERS
        if key in known
    ]
    heads = ["", "right", "lost to float", "constants", "times smaller", "cycles", "times faster"]
    head = _LEVERS.format(title=TITLES[LEVERS_NET], per_mac=start["cycles"] / start["macs"])
    return head + "\n" + table(heads, lines)


def _net(net: str, rows: Sequence[Mapping[str, Any]]) -> str:
    exact = rows[0]
    said = f"## {TITLES[net]} ({exact['samples']} samples, float {exact['accuracy_float']:.2f} %)\n\n"
    said += "" if net in BINDING else _SMALL + "\n"
    heads = ["", "seeds", "right", "lost", "95 % interval", "may lose", "favor", "constants", "code", "cycles"]
    return said + table(heads, [_line(r) for r in rows])


def _line(r: Mapping[str, Any]) -> list[str]:
    drop, limit = r["drop"], "" if r["limit"] is None or r["model"] not in BINDING else f"{r['limit']:g}"
    learnt = r["trained"] and not r["title"].endswith("trained")
    return [
        r["title"] + (", trained" if learnt else ""),
        str(r["seeds"]),
        f"{r['accuracy']:.2f} %",
        "" if r["row"] == "float" else f"{drop['points']:+.2f} to {drop['against']}",
        "" if r["row"] == "float" else f"{drop['low']:+.2f} to {drop['high']:+.2f}",
        limit if r["must_beat"] is None else f"must beat {r['must_beat']}",
        r["optimize"],
        f"{r['const_bytes']:,}",
        f"{r['code_bytes']:,}",
        f"{r['cycles']:,}",
    ]
