"""What compression is measured with: one row for each technique alone, and for the best of them together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from midge.compress.steps import AnyStep, Cluster, Distil, Factor, Granularity, Prune, Scale, Share, Train

SEEDS = 5
# Kernels that unpack narrow weights, and indices into tables: `speed` takes none that cost cycles.
_PACKED = {"optimize": "balanced"}
# Stands for the float network of the same seed.
TEACHER = "TEACHER"
BITS = {"int8": 8, "int4": 4, "int2": 2, "ternary": 2, "binary": 1}


@dataclass(frozen=True)
class Row:
    """One way to compress: steps, then quantization by `settings`.

    `student`: it starts from the network of half the size. `against`: the row that points are lost to,
    and at most `limit` of them. `must_beat`: another row, which this one must get more right than.
    """

    title: str
    steps: tuple[AnyStep, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    student: bool = False
    against: str = "int8"
    limit: float | None = None
    must_beat: str | None = None

    @property
    def technique(self) -> str:
        """The names of the steps."""
        names = [str(type(step).__struct_config__.tag) for step in self.steps]
        return " + ".join(names) or ("none" if self.settings.get("precision") == "float" else "quantize")

    @property
    def is_trained(self) -> bool:
        """Whether a step trains."""
        return any(isinstance(step, Train) for step in self.steps)

    def seeds(self, asked: int) -> int:
        """How many seeds it is measured with: what is trained with all, and what that is compared with."""
        return asked if self.is_trained or self.title in ("float", "int8") else 1

    @property
    def facts(self) -> dict[str, Any]:
        """Criterion, granularity and sparsity of the pruning, what kernels favor, and how wide weights are."""
        prune = next((step for step in self.steps if isinstance(step, Prune)), None)
        qat = next((step.qat for step in self.steps if isinstance(step, Train) and step.qat), None)
        width = qat or self.settings.get("weights", "int8")
        return {
            "criterion": None if prune is None else prune.criterion,
            "granularity": None if prune is None else prune.granularity,
            "sparsity": None if prune is None else prune.sparsity,
            "optimize": self.settings.get("optimize", "speed"),
            "weight_bits": 32 if self.settings.get("precision") == "float" else BITS[width],
        }


@dataclass(frozen=True)
class Effort:
    """How long a network is trained: epochs of the float network, and of one that is trained in quantized form.

    `rate`, `qat_rate` and `int4_rate` are learning rates, chosen on split 2.

    Without `all_rows` there is no student, and a few techniques are shown. `levers`: this is the network of the four
    levers, whose last row has a limit.
    """

    epochs: int
    qat_epochs: int
    rate: float = 2e-3
    qat_rate: float = 1e-3
    int4_rate: float = 1e-3
    all_rows: bool = True
    levers: bool = False


def rows(effort: Effort) -> dict[str, Row]:
    """All rows, by key."""
    train = Train(epochs=effort.epochs, learning_rate=effort.rate)
    again = Distil(epochs=effort.epochs, learning_rate=effort.rate)
    taught = Distil(epochs=effort.epochs, learning_rate=effort.rate, teacher=TEACHER)

    def qat(width: Any, rate: float) -> Distil:
        return Distil(epochs=effort.qat_epochs, learning_rate=rate, qat=width)

    made: dict[str, Row] = {
        "float": Row("float", settings={"precision": "float"}, against="float"),
        "int8": Row("int8", against="float", limit=0.5),
        "int4": Row("int4 by rounding", settings={"weights": "int4", "equalize": True, **_PACKED}, against="float"),
        "qat-int4": Row("int4 trained", (qat("int4", effort.int4_rate),), _PACKED, against="float", limit=0.7),
        "qat-int2": Row("int2 trained", (qat("int2", effort.qat_rate),), _PACKED, against="float", limit=3.0),
    }
    made |= {
        f"1x4-50-{c}": Row(f"half pruned 1x4 by {c}", (Prune(sparsity=0.5, granularity="1x4", criterion=c),))
        for c in _CRITERIA
    }
    made |= {
        "2:4": Row("2 of 4 pruned", (_fitted(0.5, "2:4"),)),
        "1x4-75": Row("three quarters pruned 1x4", (_fitted(0.75, "1x4"), again), limit=1.5),
        "fine-87": Row("seven eighths pruned", (_fitted(0.875, "fine"), again), limit=2.0),
        "filters-50": Row("half the MACs gone with filters", (_fitted(0.5, "filters"), again), limit=1.0),
        "cluster-64": Row("64 values", (Cluster(values=64),), _PACKED),
        "cluster-16": Row("16 values", (Cluster(values=16),), _PACKED),
        "cluster-4": Row("4 values", (Cluster(values=4),), _PACKED),
        "svd": Row("fully connected layers of low rank", (Factor(form="svd", energy=0.9),)),
        "tucker": Row("convolutions of low rank (Tucker-2)", (Factor(form="tucker", energy=0.9),)),
        "spatial": Row("convolutions as two of one dimension", (Factor(form="spatial", energy=0.9),)),
        "shared": Row("layers of one shape share weights", (Share(),)),
        "scaled": Row("three quarters of all filters", (Scale(width=0.75),)),
        "factored": Row("fully connected layers of low rank", (Factor(form="svd", energy=0.9), again)),
        "clustered": Row("4 values", (Cluster(values=4), again), _PACKED),
        "alone": Row("a student of half the size, alone", (train,), student=True),
        "distilled": Row("the same student, distilled", (taught,), student=True, must_beat="alone"),
        "together": Row(
            "all together: the distilled student, a third of its MACs pruned, int8, its largest layer int4",
            (taught, _fitted(0.35, "filters"), taught),
            # Packed kernels for the layer that is narrow: `speed` takes them only where they are asked for.
            {"layers": {"hidden": "int4"}, "kernels": {"fully_connected": "dsp_packed"}},
            student=True,
            against="float",
            limit=1.0 if effort.levers else None,
        ),
    }
    return {key: row for key, row in made.items() if effort.all_rows or (not row.student and key in _FEW)}


def _fitted(part: float, granularity: Granularity) -> Prune:
    """What remains is fitted to the layers' outputs: on split 2 the best start for training on."""
    return Prune(sparsity=part, granularity=granularity, criterion="activation", reconstruct=True)


_CRITERIA: tuple[Any, ...] = ("magnitude", "activation", "gradient", "stability", "reconstruction")
_FEW = ("float", "int8", "int4", "qat-int4", "1x4-75", "fine-87", "filters-50", "cluster-16")
