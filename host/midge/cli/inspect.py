"""`midge inspect`: what is in a model file, and what midge would make of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.table import Table

from midge.cli.options import INPUT_SHAPES, JSON, MODEL, import_named, load_dataset
from midge.cli.talk import out, show_progress
from midge.errors import SettingsError
from midge.importers import Imported, import_model
from midge.ir.graph import Graph, Op
from midge.ir.tensor import Tensor
from midge.ir.text import graph_text
from midge.kernels.narrow import narrow_weights
from midge.kernels.select import variants
from midge.kernels.variant import Layer
from midge.measure.precision import precision_of
from midge.passes import CANONICALIZE, OPTIMIZE, run_passes
from midge.passes.constant_channels import find_removals
from midge.quantize.model import float_samples, quantize_with
from midge.quantize.quality import layer_qualities
from midge.report.qualities import print_qualities, quality_facts
from midge.report.removals import print_removals, removal_facts
from midge.settings import Settings, load_settings


@click.command()
@MODEL
@JSON
@INPUT_SHAPES
@click.option("--graph", "as_graph", is_flag=True, help="Print the network as midge holds it, one line per operator.")
@click.option("--quant", "as_quant", is_flag=True, help="What quantization does to each layer, on --data.")
@click.option("--data", "data_path", type=click.Path(path_type=Path), help=".npz of samples for --quant.")
@click.option("--float", "original", type=click.Path(path_type=Path), help="The float model MODEL was made from.")
@click.option("--settings", "settings_file", type=click.Path(path_type=Path), help="midge.toml: how --quant quantizes.")
def command(
    model: Path,
    as_json: bool,
    input_shapes: tuple[str, ...],
    as_graph: bool,
    as_quant: bool,
    data_path: Path | None,
    original: Path | None,
    settings_file: Path | None,
) -> None:
    """Show a model's operators, shapes, MACs and sizes; with --quant where quantization loses accuracy."""
    imported = import_named(model, input_shapes)
    if as_quant:
        settings = Settings() if settings_file is None else load_settings(settings_file)
        _diagnose(imported, original, data_path, settings, as_json)
        return
    canonical = run_passes(imported.graph, CANONICALIZE)
    graph = run_passes(canonical, OPTIMIZE)
    if as_graph:
        print(graph_text(graph), end="")
    elif as_json:
        print(json.dumps(facts(imported, canonical, graph), indent=2))
    else:
        _print(imported, canonical, graph)


def _diagnose(
    imported: Imported, original: Path | None, data_path: Path | None, settings: Settings, as_json: bool
) -> None:
    """An integer model beside its float original when that is given; a float model as `settings` quantize it."""
    graph = run_passes(imported.graph, CANONICALIZE)
    if data_path is None:
        raise SettingsError("--quant needs to see what values come up", hint="--data FILE.npz with samples as `x`")
    source = graph if original is None else run_passes(import_model(original).graph, CANONICALIZE)
    if original is not None and not source.is_float:
        raise SettingsError(f"{original} is no float model", hint="--float names what the model was quantized from")
    data = load_dataset(data_path, source)
    assert data is not None
    samples = float_samples(source, data, settings)
    made = quantize_with(graph, settings, samples, show_progress) if graph.is_float else graph
    found = layer_qualities(source if source.is_float else None, made, samples, show_progress)
    if as_json:
        print(json.dumps({"samples": len(samples), "layers": quality_facts(found)}, indent=2))
    else:
        print_qualities(out(), found, len(samples))


def facts(imported: Imported, canonical: Graph, graph: Graph) -> dict[str, Any]:
    """What `--json` prints: the file, its ports, and per layer operator, output shape, MACs and bytes of constants.

    `canonical` is the network as it was trained, whose MACs are `macs`; `graph` is what is left of it: the layers,
    `live_macs` and `constant_bytes`. `removed` says layer by layer what went, and why.
    """
    precision = precision_of(graph)
    return {
        "model": {
            "name": graph.name,
            "format": imported.format,
            "sha256": imported.sha256,
            "precision": precision.replace("float", "float32"),
            "macs": canonical.macs,
            "live_macs": graph.macs,
            "constant_bytes": _distinct_bytes(graph),
        },
        "inputs": [_port(t) for t in graph.input_tensors],
        "outputs": [_port(t) for t in graph.output_tensors],
        "states": [_port(t) for t in graph.states],
        "layers": [
            {
                "name": op.name,
                "op": op.kind,
                "output_shape": list(graph.outputs_of(op)[0].shape),
                "macs": op.macs(graph.inputs_of(op), graph.outputs_of(op)),
                "constant_bytes": _constant_bytes(graph, op),
                **_packed_facts(graph, op),
            }
            for op in graph.ops
        ],
        "removed": removal_facts(find_removals(canonical)),
    }


def _port(tensor: Tensor) -> dict[str, Any]:
    port: dict[str, Any] = {"name": tensor.name, "shape": list(tensor.shape), "dtype": tensor.dtype.value}
    if tensor.quant is not None:
        port |= {"scale": tensor.quant.scale, "zero_point": tensor.quant.zero_point}
    return port


def _distinct_bytes(graph: Graph) -> int:
    """Bytes of all constants, equal ones once, as they lie in flash: an unrolled network repeats its weights."""
    constants = (t for t in graph.tensors.values() if t.data is not None)
    distinct = {(t.shape, t.dtype, t.quant, np.asarray(t.data).tobytes()): t.bytes for t in constants}
    return sum(distinct.values())


def _constant_bytes(graph: Graph, op: Op) -> int:
    return sum(t.bytes for t in graph.inputs_of(op) if t.is_constant)


def _packed_facts(graph: Graph, op: Op) -> dict[str, Any]:
    """The width that weights can be packed in, and the constants' bytes then; nothing where they need 8 bits."""
    layer = Layer(op, graph.inputs_of(op), graph.outputs_of(op))
    if not any(v.packed and v.fits(layer) for v in variants(op.kernels)):
        return {}
    found = narrow_weights(layer)
    if found is None:
        return {}
    saved = layer.inputs[1].bytes - found.bytes
    return {"packed": found.width, "packed_bytes": _constant_bytes(graph, op) - saved}


def _print(imported: Imported, canonical: Graph, graph: Graph) -> None:
    console, known = out(), facts(imported, canonical, graph)
    model = known["model"]
    console.print(f"{graph.name}: {model['format']}, {model['precision']}, {model['macs']:,} MACs, ", end="")
    console.print(f"{model['constant_bytes']:,} bytes of constants")
    console.print(f"sha256 {imported.sha256}", soft_wrap=True)
    for kind in ("inputs", "outputs", "states"):
        for port in known[kind]:
            shape = "x".join(map(str, port["shape"]))
            scale = f", real = (value - {port['zero_point']}) * {port['scale']:.6g}" if "scale" in port else ""
            console.print(f"{kind[:-1]} {port['name']}: {port['dtype']}[{shape}]{scale}", markup=False)
    table = Table(box=None, pad_edge=False)
    table.add_column("layer", overflow="fold")
    table.add_column("operator", overflow="fold")
    packed = any("packed" in row for row in known["layers"])
    for title in ("output", "MACs", "constants", *(("packed", "bytes") if packed else ())):
        table.add_column(title, justify="right", overflow="fold")
    for row in known["layers"]:
        shape = "x".join(map(str, row["output_shape"]))
        width = (row["packed"], f"{row['packed_bytes']:,}") if "packed" in row else ()
        table.add_row(row["name"], row["op"], shape, f"{row['macs']:,}", f"{row['constant_bytes']:,}", *width)
    console.print(table)
    if not graph.is_float:
        print_removals(console, find_removals(canonical), canonical.macs, graph.macs)
    else:
        console.print(
            "A float model that remembers: compile and run deploy it with --precision float."
            if graph.updates
            else "A float model: compile and run deploy it as int8 with --data to calibrate on, or --precision float."
        )
