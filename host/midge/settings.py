"""What a user may choose: one frozen record that flags, midge.toml and the Python API share."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

import tomli_w

from midge.compress.steps import AnyStep, step_to_table, steps_of
from midge.errors import SettingsError
from midge.ir.tensor import DType
from midge.raw_input import RawInput

Precision = Literal["int8", "int16x8", "dynamic", "float", "as-is"]
Ranges = Literal["minmax", "percentile", "mse", "kl", "output"]
Rounding = Literal["nearest", "adaround", "blocks"]
Correction = Literal["none", "inputs", "outputs"]
Width = Literal["int8", "int4", "int2", "ternary", "binary"]
Activation = Literal["int8", "int16"]
RawKind = Literal["none", "uint8", "int16"]
Goal = Literal["speed", "balanced", "size"]
Spoken = Literal["midge", "mlperf-tiny"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything a user may choose, checked. Raises SettingsError naming the setting and what is allowed.

    `board`: a board's name or the path of a board file. `precision`: what is deployed; int16x8 has int16 activations
    and int8 weights; dynamic float activations whose integer ranges are found at run time. `ranges`: how calibration
    finds the range of an activation; `percentile` (of 100, over 50) is for that method. `calibration_samples`: at most
    this many are used, spread over the data. `weights`: how wide they are, and `layers` those of a layer by its name,
    e.g. {"conv_1" = "int4"}; `activations` which layers of an int8 network have int16 ones. `equalize`, `clip_weights`,
    `rounding` and `bias_correction` are steps of quantization, see midge.quantize. `one_multiplier`: weight scales of a
    layer's channels are powers of two apart, so that one multiplier in flash serves them all. `float_io`: float inputs
    and outputs around an int8 network. `raw_input`: bytes or samples of 16 bits that firmware passes as they are, of
    which the network was trained on (raw - `input_mean`) / `input_std`; one number, or one for each channel.
    `optimize`: what to favor. `protocol`: what the firmware speaks; through its own alone can midge measure. `kernels`:
    variant by operator, e.g. {"conv2d": "portable"}. `compress`: the steps that come before quantization, see
    midge.compress.steps; tables are taken too. `seed`: of whatever is drawn.
    """

    board: str = "nucleo_l4r5zi"
    precision: Precision = "int8"
    ranges: Ranges = "minmax"
    percentile: float = 99.99
    calibration_samples: int = 500
    weights: Width = "int8"
    layers: Mapping[str, Width] = field(default_factory=dict)
    activations: Mapping[str, Activation] = field(default_factory=dict)
    equalize: bool = False
    clip_weights: bool = False
    one_multiplier: bool = False
    rounding: Rounding = "nearest"
    bias_correction: Correction = "none"
    float_io: bool = False
    raw_input: RawKind = "none"
    input_mean: float | Sequence[float] = 0.0
    input_std: float | Sequence[float] = 1.0
    optimize: Goal = "speed"
    protocol: Spoken = "midge"
    kernels: Mapping[str, str] = field(default_factory=dict)
    compress: Sequence[AnyStep] = ()
    seed: int = 0

    @property
    def raw(self) -> RawInput | None:
        """The raw values that the input takes, where that is asked for."""
        if self.raw_input == "none":
            return None
        return RawInput(_tuple(self.input_mean), _tuple(self.input_std), DType(self.raw_input))

    def __post_init__(self) -> None:
        _check_text("board", self.board)
        _check_choice("precision", self.precision, get_args(Precision))
        _check_choice("ranges", self.ranges, get_args(Ranges))
        _check_choice("weights", self.weights, get_args(Width))
        _check_choice("rounding", self.rounding, get_args(Rounding))
        _check_choice("bias_correction", self.bias_correction, get_args(Correction))
        _check_choice("optimize", self.optimize, get_args(Goal))
        _check_choice("protocol", self.protocol, get_args(Spoken))
        _check_number("percentile", self.percentile, 50, 100, (int, float))
        _check_number("calibration_samples", self.calibration_samples, 1, 1 << 20, (int,))
        _check_number("seed", self.seed, 0, (1 << 63) - 1, (int,))
        for name in ("float_io", "equalize", "clip_weights", "one_multiplier"):
            if not isinstance(getattr(self, name), bool):
                raise SettingsError(f"{name} is {getattr(self, name)!r}", hint="allowed: true, false")
        tables = {"kernels": 'conv2d = "portable"', "layers": 'conv_1 = "int4"', "activations": 'conv_1 = "int16"'}
        for name, example in tables.items():
            if not isinstance(getattr(self, name), Mapping):
                raise SettingsError(f"{name} is {getattr(self, name)!r}", hint=f"a table, e.g. {{{example}}}")
        if self.precision == "dynamic" and (self.rounding != "nearest" or self.bias_correction != "none"):
            raise SettingsError(
                "rounding and bias_correction need ranges that calibration found",
                hint="leave them out with --precision dynamic",
            )
        if self.precision == "dynamic" and self.equalize:
            raise SettingsError("equalize needs ranges that calibration found", hint="not with --precision dynamic")
        _check_choice("raw_input", self.raw_input, get_args(RawKind))
        _check_numbers("input_mean", self.input_mean, -1e6, 1e6)
        _check_numbers("input_std", self.input_std, 1e-6, 1e6)
        if self.raw_input != "none" and (self.precision != "int8" or self.float_io):
            raise SettingsError(
                "raw_input is of networks whose inputs are int8", hint="--precision int8 without --float-io"
            )
        if not isinstance(self.compress, list | tuple):
            raise SettingsError(f"compress is {self.compress!r}", hint="tables [[compress]], each with its technique")
        object.__setattr__(self, "compress", steps_of(self.compress))
        for op, variant in self.kernels.items():
            _check_text(f"kernels.{op}", variant)
        for layer, width in self.layers.items():
            _check_choice(f"layers.{layer}", width, get_args(Width))
        for layer, wide in self.activations.items():
            _check_choice(f"activations.{layer}", wide, get_args(Activation))
        if "int16" in self.activations.values() and self.precision != "int8":
            raise SettingsError(
                f"activations chooses layers of an int8 network, not with --precision {self.precision}",
                hint="leave activations out, or take --precision int8",
            )


def require_own_protocol(settings: Settings) -> None:
    """Raises SettingsError when the firmware would not speak midge's own protocol, by which midge measures."""
    if settings.protocol != "midge":
        raise SettingsError(
            f"midge cannot measure through a firmware that speaks {settings.protocol}",
            hint="leave protocol as it is; midge emulate and midge compile --project make firmware for other programs",
        )


def load_settings(path: Path) -> Settings:
    """Settings from a TOML file whose keys are the names of the settings; what it leaves out has its default.

    Raises SettingsError when the file cannot be read, is not TOML, or has a key or value that is not allowed.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise SettingsError(f"{path}: {problem}", hint="name a readable TOML file") from problem
    try:
        return settings_from_table(table)
    except SettingsError as problem:
        raise SettingsError(f"{path}: {problem.message}", hint=problem.hint) from problem


def settings_to_toml(settings: Settings) -> str:
    """What `load_settings` reads back as `settings`; settings that have their default are left out."""
    default = Settings()
    table = {f.name: getattr(settings, f.name) for f in fields(Settings)}
    changed = {name: value for name, value in table.items() if value != getattr(default, name)}
    if settings.compress:
        changed["compress"] = [step_to_table(step) for step in settings.compress]
    return tomli_w.dumps(changed)


def settings_from_table(table: Mapping[str, Any]) -> Settings:
    """Settings by name, as in a file. Raises SettingsError for a name that is unknown or a value not allowed."""
    known = [f.name for f in fields(Settings)]
    for name in table:
        if name not in known:
            raise SettingsError(f"{name} is not a setting", hint=f"allowed: {', '.join(known)}")
    return Settings(**table)


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str) or not value:
        raise SettingsError(f"{name} is {value!r}", hint="a name in quotes")


def _check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise SettingsError(f"{name} is {value!r}", hint=f"allowed: {', '.join(allowed)}")


def _tuple(value: float | Sequence[float]) -> tuple[float, ...]:
    return tuple(float(v) for v in value) if isinstance(value, Sequence) else (float(value),)


def _check_numbers(name: str, value: object, low: float, high: float) -> None:
    """One number, or a list of them."""
    for one in value if isinstance(value, list | tuple) and value else [value]:
        _check_number(name, one, low, high, (int, float))


def _check_number(name: str, value: object, low: float, high: float, types: tuple[type, ...]) -> None:
    if isinstance(value, bool) or not isinstance(value, types) or not low <= value <= high:  # type: ignore[operator]
        kind = "a whole number" if types == (int,) else "a number"
        raise SettingsError(f"{name} is {value!r}", hint=f"{kind} from {low} to {high}")
