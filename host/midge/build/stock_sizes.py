"""Sizes of an image that a board's own linker script has laid out: symbols' names tell what is the model's."""

from __future__ import annotations

from midge.build.image import FlashSizes, Image, RamSizes, Section, Symbol

# What some cores reserve in their linker scripts for later is no use of memory.
_RESERVED = ("heap", "stack")


def stock_flash(image: Image, prefix: str) -> FlashSizes:
    """What of the flash is taken by what. Functions of the compiler's library count as harness."""
    total = sum(len(segment.data) for segment in image.segments)
    named = _named(image, prefix)
    code = sum(s.bytes for s in named if s.is_function)
    const = sum(s.bytes for s in named if not s.is_function and not _is_variable(image, s))
    return FlashSizes(code, const, total - code - const, total)


def stock_ram(image: Image, prefix: str) -> RamSizes:
    """What of the RAM is taken before main(); the stack gets what is left, so its size here is 0."""
    total = sum(s.bytes for s in _variables(image))
    model = sum(s.bytes for s in _named(image, prefix) if _is_variable(image, s))
    return RamSizes(model, total - model, 0, total)


def _named(image: Image, prefix: str) -> list[Symbol]:
    by_place = {(s.address, s.is_function): s for s in image.symbols if s.name.startswith(prefix + "_")}
    return list(by_place.values())


def _variables(image: Image) -> list[Section]:
    return [s for s in image.sections if s.is_writable and not s.is_code and not any(r in s.name for r in _RESERVED)]


def _is_variable(image: Image, symbol: Symbol) -> bool:
    return any(s.address <= symbol.address < s.address + s.bytes for s in _variables(image))
