"""What each technique of compression lets a user choose: one frozen record each, for the API, flags and midge.toml.

In a midge.toml they are the tables `[[compress]]`, done in the order of the file, `technique` first:

    [[compress]]
    technique = "prune"
    granularity = "1x4"
    sparsity = 0.75

Nothing but the graph goes from one step to the next: structure is in the weights themselves (zeros, few distinct
values, smaller shapes), where the kernels find it, whoever made the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from midge.errors import SettingsError

Granularity = Literal["fine", "1x2", "1x4", "1:4", "2:4", "1:8", "kernels", "filters", "blocks"]
Criterion = Literal["magnitude", "activation", "gradient", "stability", "reconstruction"]
FactorForm = Literal["auto", "svd", "tucker", "spatial"]
Fraction = Annotated[float, Meta(gt=0, lt=1)]
Portion = Annotated[float, Meta(gt=0, le=1)]
Count = Annotated[int, Meta(ge=1, le=1 << 20)]


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="technique"):
    """One step. `module` has `apply(graph, step, material) -> Graph`, see midge.compress.apply."""

    module: ClassVar[str]


class Prune(Step, frozen=True, kw_only=True, tag="prune"):
    """Weights become zero, or filters and blocks go.

    `sparsity`: which part of the weights goes; of filters and blocks, of the multiply-accumulates. `layers`: the names
    of those to prune, all where there are none. `rounds`: so many times a part, each judged anew. `reconstruct`: what
    remains is fitted to the layer's own outputs by least squares. `even`: every layer loses the same part of its
    weights, but those of a few inputs, which stay; else more goes where it matters less.
    """

    module: ClassVar[str] = "midge.compress.prune"
    sparsity: Fraction
    granularity: Granularity = "fine"
    criterion: Criterion = "magnitude"
    layers: tuple[str, ...] = ()
    rounds: Count = 1
    reconstruct: bool = False
    even: bool = False


class Cluster(Step, frozen=True, kw_only=True, tag="cluster"):
    """At most `values` distinct weights in each layer, found by k-means."""

    module: ClassVar[str] = "midge.compress.cluster"
    values: Annotated[int, Meta(ge=2, le=64)] = 16
    layers: tuple[str, ...] = ()


class Factor(Step, frozen=True, kw_only=True, tag="factor"):
    """Layers become products of smaller ones: `rank` of each, or the least that keeps `energy` of the squares.

    `measured`: what is cheaper is measured on the emulated core of the settings' board, not estimated.
    """

    module: ClassVar[str] = "midge.compress.factor"
    form: FactorForm = "auto"
    rank: Count | None = None
    energy: Portion = 0.95
    measured: bool = False
    layers: tuple[str, ...] = ()


class Share(Step, frozen=True, kw_only=True, tag="share"):
    """Layers of equal shape use one set of weights; `layers` names them, all that are alike where there are none."""

    module: ClassVar[str] = "midge.compress.share"
    layers: tuple[str, ...] = ()


class Scale(Step, frozen=True, kw_only=True, tag="scale"):
    """`width` of the filters of every layer, and `depth` of the units that could be left out, remain."""

    module: ClassVar[str] = "midge.compress.scale"
    width: Portion = 1.0
    depth: Portion = 1.0


class Train(Step, frozen=True, kw_only=True, tag="train"):
    """Weights are trained further on split 1, watched on split 2.

    `qat`: how wide weights are while training as they will be deployed, none for a float network. `learning_rate`: the
    first; it falls to nothing by a half cosine. `patience`: epochs without gain after which training ends.
    `weight_decay`: what weights lose, beside the gradient. `checkpoint`: a file to go on from after a kill.
    `keep_structure`: zeros stay zeros and values that are equal stay equal. `prune`: done little by little meanwhile.
    """

    module: ClassVar[str] = "midge.train.step"
    epochs: Count = 20
    qat: Literal["int8", "int4", "int2", "ternary", "binary"] | None = None
    learning_rate: Annotated[float, Meta(gt=0, le=10)] = 1e-3
    batch: Count = 64
    patience: Count = 10
    keep_structure: bool = True
    optimizer: Literal["adam", "sgd"] = "adam"
    weight_decay: Annotated[float, Meta(ge=0, le=10)] = 0.0
    checkpoint: str | None = None
    prune: Prune | None = None


class Distil(Train, frozen=True, kw_only=True, tag="distil"):
    """As Train, with the answers of a teacher beside the labels: softened by `temperature`, `weight` of the loss.

    `teacher`: a model file, the network itself as it was before any step where there is none. `features`: pairs of
    layers, (student's, teacher's), whose outputs are to be alike. `inherit`: the student starts from the weightiest
    part of the teacher's parameters.
    """

    module: ClassVar[str] = "midge.train.distil"
    teacher: str | None = None
    temperature: Annotated[float, Meta(gt=0, le=100)] = 4.0
    weight: Portion = 0.7
    features: tuple[tuple[str, str], ...] = ()
    inherit: bool = False


AnyStep = Prune | Cluster | Factor | Share | Scale | Train | Distil


def step_from_table(table: object) -> AnyStep:
    """The step that a table describes. Raises SettingsError for a technique, name or value that is not allowed."""
    try:
        step: AnyStep = msgspec.convert(table, AnyStep)
        return step
    except msgspec.ValidationError as problem:
        what, _, where = str(problem).replace("`", "").partition(" - at $")
        where = where.lstrip(".")
        known = ", ".join(str(kind.__struct_config__.tag) for kind in AnyStep.__args__)
        hint = "see docs/compressing.md" if where not in ("", "technique") else f"a table with a technique: {known}"
        what = what.replace("Object contains", "there is").replace("Object missing", "there is no")
        raise SettingsError(
            f"compress: {where}{': ' if where else ''}{what[:1].lower()}{what[1:]}", hint=hint
        ) from problem


def step_to_table(step: AnyStep) -> dict[str, Any]:
    """What `step_from_table` reads back as `step`; what has its default is left out."""
    table: dict[str, Any] = msgspec.to_builtins(step)
    defaults = {f.name: f.default for f in msgspec.structs.fields(step)}
    return {n: v for n, v in table.items() if n not in defaults or (getattr(step, n) != defaults[n] and v is not None)}


def steps_of(tables: Sequence[Any]) -> tuple[AnyStep, ...]:
    """Steps from tables or steps, each checked. Raises SettingsError as step_from_table."""
    return tuple(step_from_table(step_to_table(t) if isinstance(t, AnyStep) else t) for t in tables)
