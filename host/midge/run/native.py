"""The host build as a board: the same main.c, link and generated code, compiled for this machine.

The program speaks the protocol over its standard input and output. `ProcessPort` makes a pyserial-like port of that,
and turns a crash or a sanitizer's report into a DeviceFaultError.
"""

from __future__ import annotations

import os
import select
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType

from midge.build.firmware import INCLUDE_FOLDERS
from midge.build.objects import fetch, keep, object_key
from midge.build.toolchain import Toolchain, find_host_compiler
from midge.errors import DeviceFaultError, ToolchainError
from midge.resources import firmware_dir

# Contraction off: floats come out as on the device.
_FLAGS = ("-std=c11", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off", "-fno-math-errno")
_SANITIZERS = ("address,undefined", "undefined")
_BUILD_SECONDS = 300
_WRITE_SECONDS = 60
_STDERR_LINES = 12
_CHUNK = 65536


class ProcessPort:
    """A pyserial-like port to a subprocess: `read` waits for up to `timeout` seconds (None: for ever).

    `read` and `write` raise DeviceFaultError once the program has ended and all it sent is read.
    """

    def __init__(self, process: subprocess.Popen[bytes], stderr: Path, name: str = "the host build") -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.timeout: float | None = None
        self._process = process
        self._stderr = stderr
        self._name = name
        self._to = process.stdin.fileno()
        self._from = process.stdout.fileno()
        self._received = bytearray()
        self._ended = False
        os.set_blocking(self._to, False)

    def fileno(self) -> int:
        """The descriptor that becomes readable when the program has said something."""
        return self._from

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read without waiting."""
        self._receive(0)
        return len(self._received)

    def read(self, size: int = 1, /) -> bytes:
        """Up to `size` bytes; after `timeout` seconds what has come until then."""
        deadline = None if self.timeout is None else time.monotonic() + self.timeout
        while len(self._received) < size and not self._ended:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left < 0:
                break
            self._receive(left)
        if self._ended and not self._received:
            raise self._fault()
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    def write(self, data: bytes, /) -> int:
        """Send all bytes; reads meanwhile, so that two full pipes cannot block each other."""
        deadline = time.monotonic() + _WRITE_SECONDS
        left = memoryview(data)
        while left:
            reading = [] if self._ended else [self._from]
            readable, writable, _ = select.select(reading, [self._to], [], max(0.0, deadline - time.monotonic()))
            if readable:
                self._receive(0)
            if writable:
                try:
                    left = left[os.write(self._to, left[:_CHUNK]) :]
                except BrokenPipeError:
                    raise self._fault() from None
            if not (readable or writable):
                raise DeviceFaultError(f"{self._name} took none of its input for {_WRITE_SECONDS} s")
        return len(data)

    def reset_input_buffer(self) -> None:
        """Forget what has come and was not read."""
        self._receive(0)
        self._received.clear()

    def close(self) -> None:
        """End the program. Closing twice is harmless."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._ended = True

    def _receive(self, seconds: float | None) -> None:
        if self._ended or not select.select([self._from], [], [], seconds)[0]:
            return
        data = os.read(self._from, _CHUNK)
        self._received += data
        self._ended = not data

    def _fault(self) -> DeviceFaultError:
        code = self._process.wait()
        report = self._stderr.read_text(errors="replace").splitlines() if self._stderr.exists() else []
        said = "\n".join(line for line in report if line.strip("= "))
        head = "\n".join(said.splitlines()[:_STDERR_LINES])
        ended = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        return DeviceFaultError(
            f"{self._name} {ended}" + (f":\n{head}" if head else ""),
            hint="build it with sanitizers to see where it goes wrong" if not head else "",
        )


@dataclass(frozen=True)
class NativeBuild:
    """A host build. `sanitizers` is what it was compiled with: "address,undefined", "undefined" or ""."""

    executable: Path
    compiler: Toolchain
    flags: tuple[str, ...]
    sanitizers: str


@dataclass(frozen=True)
class NativeBoard:
    """A running host build and the port to it."""

    port: ProcessPort
    build: NativeBuild

    def __enter__(self) -> NativeBoard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.port.close()


def start_native(
    sources: Mapping[str, str],
    work_dir: Path,
    *,
    sanitize: bool = False,
    compiler: Toolchain | None = None,
    defines: Mapping[str, str] | None = None,
) -> NativeBoard:
    """Build the host's firmware around generated sources and start it; use it in a `with`, or close its port.

    `sources` maps file names (folders allowed) to text and must define `midge_app_model`; a `main.c` takes the place of
    midge's own. Files and the executable stay in `work_dir`. With `sanitize` the build has AddressSanitizer and
    UndefinedBehaviorSanitizer, or the latter alone where the compiler has no more (zig).
    Raises ToolchainError when the compiler has no sanitizer or refuses the sources.
    """
    build = _build(sources, work_dir, sanitize, compiler or find_host_compiler(), defines or {})
    stderr = work_dir / "stderr.txt"
    with stderr.open("wb") as errors:
        process = subprocess.Popen(
            [str(build.executable.resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            bufsize=0,
            env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1"},
        )
    return NativeBoard(ProcessPort(process, stderr), build)


def _build(
    sources: Mapping[str, str], work_dir: Path, sanitize: bool, compiler: Toolchain, defines: Mapping[str, str]
) -> NativeBuild:
    source_dir = work_dir / "source"
    for name, text in sources.items():
        target = source_dir / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    sanitizers = _best_sanitizers(compiler.command) if sanitize else ""
    flags = _FLAGS + (_sanitizer_flags(sanitizers) if sanitizers else ("-O2",))
    firmware = firmware_dir()
    given = [f"-D{name}={value}" for name, value in defines.items()]
    own = [*sorted((firmware / "link").glob("*.c")), firmware / "port" / "posix" / "port.c"]
    if "main.c" not in sources:
        own.append(firmware / "main.c")
    includes = [f"-I{firmware / name}" for name in INCLUDE_FOLDERS]
    command = [*compiler.command, *flags, *given]
    files = [source_dir / name for name in sorted(sources) if name.endswith(".c")]
    files += [_own_object(compiler, [*command, *includes], file, work_dir) for file in own]
    executable = work_dir / "firmware"
    _compile([*command, f"-I{source_dir}", *includes, *map(str, files), "-o", str(executable), "-lm"])
    return NativeBuild(executable, compiler, flags, sanitizers)


def _own_object(compiler: Toolchain, command: Sequence[str], source: Path, work_dir: Path) -> Path:
    """One of midge's own C files as an object in `work_dir`, from an earlier build where there was one."""
    firmware = firmware_dir()
    made = work_dir / f"{'_'.join(source.relative_to(firmware).with_suffix('').parts)}.o"
    headers = [file for folder in ("link", "port") for file in sorted((firmware / folder).rglob("*.h"))]
    key = object_key(compiler.version, [*command, str(source)], (source, *headers))
    if not fetch(key, made):
        _compile([*command, "-c", str(source), "-o", str(made)])
        keep(key, made)
    return made


def _sanitizer_flags(sanitizers: str) -> tuple[str, ...]:
    return (f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g", "-O0")


@cache
def _best_sanitizers(compiler: tuple[str, ...]) -> str:
    """The most that this compiler can link and run: a compiler may know a sanitizer and lack its library."""
    with tempfile.TemporaryDirectory(prefix="midge-") as folder:
        source, probe = Path(folder) / "probe.c", Path(folder) / "probe"
        source.write_text("int main(void) { return 0; }\n")
        for sanitizers in _SANITIZERS:
            try:
                _compile([*compiler, *_sanitizer_flags(sanitizers), str(source), "-o", str(probe)])
                if subprocess.run([str(probe)], capture_output=True, timeout=_BUILD_SECONDS).returncode == 0:
                    return sanitizers
            except (ToolchainError, OSError):
                continue
    raise ToolchainError(
        f"{compiler[0]} has neither AddressSanitizer nor UndefinedBehaviorSanitizer",
        hint="install gcc or clang with their sanitizer libraries, or run without sanitizers",
    )


def _compile(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_BUILD_SECONDS)
    except FileNotFoundError:
        raise ToolchainError(f"the compiler {command[0]} is not there", hint="install gcc or clang") from None
    except subprocess.TimeoutExpired:
        raise ToolchainError(f"{command[0]} took more than {_BUILD_SECONDS} s") from None
    if done.returncode != 0:
        first = "\n".join(done.stderr.splitlines()[:_STDERR_LINES])
        raise ToolchainError(f"{command[0]} refused the sources of the host build:\n{first}")
