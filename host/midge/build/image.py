"""A firmware image: an ELF file taken apart into segments, symbols and sizes.

Sizes come from the sections that link.ld keeps apart: the model's code and constants have their own, everything else
in flash is the harness (start-up, protocol, libc, alignment), so that the parts always sum up to the total.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from midge.errors import ToolchainError

_SHF_WRITE, _SHF_ALLOC, _SHF_EXECINSTR = 1, 2, 4


@dataclass(frozen=True)
class Symbol:
    """A function or an object; `address` without the Thumb bit. `bytes` is 0 where the compiler did not say."""

    name: str
    address: int
    bytes: int
    is_function: bool


@dataclass(frozen=True)
class Section:
    """An allocated section: where it runs, how large it is, and whether it holds instructions or variables."""

    name: str
    address: int
    bytes: int
    is_code: bool
    is_writable: bool = False


@dataclass(frozen=True)
class Segment:
    """Bytes to be put at a physical address before reset: what a programmer would flash."""

    address: int
    data: bytes


@dataclass(frozen=True)
class FlashSizes:
    """Bytes of flash. code: the model's functions; const: its weights, biases, multipliers, tables (and the start
    values of its variables); harness: start-up, protocol, libc, vectors, alignment. The three sum up to the total."""

    code_bytes: int
    const_bytes: int
    harness_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class RamSizes:
    """Bytes of RAM that are taken before main(). model: arena and whatever else the model keeps; harness: the rest;
    stack: reserved, of which a run uses the high-water mark."""

    model_bytes: int
    harness_bytes: int
    stack_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class Image:
    """A linked firmware and how it was made. `flags`: the target's and the optimization of the model's code."""

    path: Path
    compiler: str
    version: str
    flags: tuple[str, ...]
    segments: tuple[Segment, ...]
    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]

    @cached_property
    def functions(self) -> tuple[Symbol, ...]:
        """All functions, by address; of several names for one address the first."""
        found: dict[int, Symbol] = {}
        for symbol in sorted((s for s in self.symbols if s.is_function), key=_preference):
            found.setdefault(symbol.address, symbol)
        return tuple(found[address] for address in sorted(found))

    @cached_property
    def _function_addresses(self) -> list[int]:
        return [function.address for function in self.functions]

    def symbol(self, name: str) -> Symbol:
        """The symbol of that name.

        Raises:
            ToolchainError: the image has none.
        """
        for symbol in self.symbols:
            if symbol.name == name:
                return symbol
        raise ToolchainError(f"{self.path.name} has no symbol {name!r}", hint="is it the firmware of this model?")

    def function_at(self, address: int) -> Symbol | None:
        """The function that an address lies in."""
        at = bisect_right(self._function_addresses, address) - 1
        if at < 0 or not any(s.is_code and s.address <= address < s.address + s.bytes for s in self.sections):
            return None
        function = self.functions[at]
        # A size of 0 is an assembler routine without one: it reaches to the next function.
        return function if function.bytes == 0 or address < function.address + function.bytes else None

    def code(self, function: Symbol) -> bytes:
        """The function's bytes."""
        for segment in self.segments:
            at = function.address - segment.address
            if 0 <= at < len(segment.data):
                return segment.data[at : at + function.bytes]
        return b""

    def describe(self, address: int) -> str:
        """An address as a message shows it: `midge_x_run+0x12 (0x08000412)`."""
        function = self.function_at(address)
        if function is None:
            return f"0x{address:08x} (in no function)"
        return f"{function.name}+{address - function.address:#x} (0x{address:08x})"

    @property
    def flash(self) -> FlashSizes:
        """What of the flash is taken by what."""
        total = max(s.address + len(s.data) for s in self.segments) - min(s.address for s in self.segments)
        code = self._section_bytes("model_code")
        const = self._section_bytes("model_const") + self._span("midge_data_start", "midge_model_data_end")
        return FlashSizes(code, const, total - code - const, total)

    @property
    def ram(self) -> RamSizes:
        """What of the RAM is taken by what."""
        stack = self._span("midge_stack_limit", "midge_stack_top")
        # The stack lies below the variables or above them.
        ends = [self.symbol(f"midge_{name}").address for name in ("stack_limit", "data_start", "stack_top", "bss_end")]
        total = max(ends) - min(ends)
        model = self._span("midge_data_start", "midge_model_data_end")
        model += self._span("midge_bss_start", "midge_model_bss_end")
        return RamSizes(model, total - model - stack, stack, total)

    def _section_bytes(self, name: str) -> int:
        return sum(section.bytes for section in self.sections if section.name == f".{name}")

    def _span(self, first: str, last: str) -> int:
        return self.symbol(last).address - self.symbol(first).address


def load_image(elf: Path, compiler: str = "", version: str = "", flags: Iterable[str] = ()) -> Image:
    """Read an ELF file.

    Raises:
        ToolchainError: it cannot be read, or is not an ELF file.
    """
    try:
        with elf.open("rb") as file:
            parsed = ELFFile(file)
            return Image(
                path=elf,
                compiler=compiler,
                version=version,
                flags=tuple(flags),
                segments=_segments(parsed),
                sections=_sections(parsed),
                symbols=_symbols(parsed),
            )
    except Exception as error:  # the parser raises whatever a damaged file makes it stumble over
        raise ToolchainError(f"{elf}: not a readable ELF file: {error}", hint="build the firmware again") from error


def _segments(elf: ELFFile) -> tuple[Segment, ...]:
    loaded = (s for s in elf.iter_segments("PT_LOAD") if s["p_filesz"] > 0)
    return tuple(Segment(s["p_paddr"], s.data()) for s in sorted(loaded, key=lambda s: s["p_paddr"]))


def _sections(elf: ELFFile) -> tuple[Section, ...]:
    return tuple(
        Section(
            s.name,
            s["sh_addr"],
            s["sh_size"],
            bool(s["sh_flags"] & _SHF_EXECINSTR),
            bool(s["sh_flags"] & _SHF_WRITE),
        )
        for s in elf.iter_sections()
        if s["sh_flags"] & _SHF_ALLOC and s["sh_size"] > 0
    )


def _symbols(elf: ELFFile) -> tuple[Symbol, ...]:
    table = elf.get_section_by_name(".symtab")
    if not isinstance(table, SymbolTableSection):
        return ()
    found = []
    code = {i for i, s in enumerate(elf.iter_sections()) if s["sh_flags"] & _SHF_EXECINSTR}
    for symbol in table.iter_symbols():
        kind = symbol["st_info"]["type"]
        # The compiler's library for AVR is assembler that gives sizes and no types.
        if kind == "STT_NOTYPE" and symbol["st_size"] > 0 and symbol["st_shndx"] in code:
            kind = "STT_FUNC"
        # Mapping symbols ($t, $d) mark where code and data alternate; they name nothing.
        if symbol.name and not symbol.name.startswith("$") and kind in ("STT_FUNC", "STT_OBJECT", "STT_NOTYPE"):
            function = kind == "STT_FUNC"
            found.append(Symbol(symbol.name, symbol["st_value"] & ~int(function), symbol["st_size"], function))
    return tuple(sorted(found, key=lambda s: (s.address, s.name)))


def _preference(symbol: Symbol) -> tuple[int, bool, str]:
    return -symbol.bytes, symbol.name.startswith("_"), symbol.name
