"""A real board: asked first what it runs; the firmware is built by PlatformIO and flashed when it is not this model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from midge.boards import Board
from midge.build.image import Image
from midge.build.platformio import Say, build_project, read_elf, upload_port, upload_project, upload_seconds
from midge.cache import cache_dir
from midge.errors import LinkError, MidgeError
from midge.ir.tensor import Array
from midge.render.project import render_project
from midge.run.conversation import Conversation, Hello, Patience
from midge.run.device import LinkedDevice, Sample
from midge.run.exchange import Port
from midge.run.layer_kernels import says_kernels
from midge.run.serial_port import open_port, resolve_port
from midge.settings import require_own_protocol

if TYPE_CHECKING:
    from midge.pipeline import Compiled

_BACK_SECONDS = 15.0
# A board that runs something else may never answer; one that resets on open needs its time to start.
_FIRST_ATTEMPTS = 3
# In the project of a model whose last upload did not end well.
_CUT_SHORT = ".upload-cut-short"


@dataclass(frozen=True, eq=False)
class BoardDevice:
    """A firmware on a real board. `was_flashed`: it was not there before; `image`: None where nobody built it here."""

    link: LinkedDevice
    hello: Hello
    image: Image | None
    was_flashed: bool

    def infer(self, inputs: Sequence[Array]) -> Sample:
        """One inference on the board."""
        return self.link.infer(inputs)

    def reset(self) -> None:
        """Has the firmware forget all earlier samples."""
        self.link.reset()


@contextmanager
def board_device(compiled: Compiled, port: str, say: Say, project: Path | None = None) -> Iterator[BoardDevice]:
    """Speak with the board at `port`; unless it runs this very model, build the firmware and flash it first.

    The project stays in `project`, else in the cache, where a second build has little to do.

    Raises:
        SettingsError: the settings ask for a firmware that speaks another protocol.
        BoardError: a board that exists only emulated, and runs something else.
        LinkError: no such port, busy, not allowed, or no answer.
        ToolchainError, DoesNotFitError, MissingExtraError: the firmware cannot be built.
    """
    require_own_protocol(compiled.settings)
    board = compiled.board
    folder = project or project_folder(compiled)
    if board.platformio is not None:
        write_project(compiled, folder)
    if not _was_cut_short(folder) and _runs_already(compiled, port, say):
        image, flashed = _built_before(folder, board), False
    else:
        image, flashed = _build_and_flash(compiled, folder, port, say), True
    with open_port(port, board, _BACK_SECONDS if flashed and board.line.reappears else 0.0) as opened:
        conversation = _conversation(opened, compiled, _patience(board))
        hello = conversation.hello()
        says = says_kernels(conversation, compiled.program)
        yield BoardDevice(LinkedDevice(conversation, compiled.program.outputs, says), hello, image, flashed)


def _build_and_flash(compiled: Compiled, folder: Path, port: str, say: Say) -> Image:
    board = compiled.board
    _ = board.build  # what nobody can flash, nobody needs to build
    say(f"building the firmware of {board.name}")
    image = build_project(folder, board, say)
    say(f"flashing {resolve_port(port, board)}")
    mark = folder / _CUT_SHORT
    mark.touch()
    upload_project(folder, board, upload_port(resolve_port(port, board), board), say, upload_seconds(image))
    mark.unlink()
    return image


def _was_cut_short(folder: Path) -> bool:
    """Whether the last upload from here failed: the board may say that it runs this model, and yet hold half of it."""
    return (folder / _CUT_SHORT).exists()


def _built_before(folder: Path, board: Board) -> Image | None:
    """The image of a board that was flashed from here, or from nowhere that is known."""
    if board.platformio is None:
        return None
    try:
        return read_elf(folder, board)
    except MidgeError:
        return None


def project_folder(compiled: Compiled) -> Path:
    """Where the cache keeps the project of a compiled model."""
    return cache_dir() / "projects" / f"{compiled.board.name}-{compiled.program.name}-{compiled.program.hash[:16]}"


def write_project(compiled: Compiled, folder: Path) -> None:
    """Write the project; files that are as they should be stay untouched, so that nothing is built twice."""
    files = render_project(compiled.program, compiled.sources, compiled.board, compiled.settings)
    for name, text in files.items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def _runs_already(compiled: Compiled, port: str, say: Say) -> bool:
    """Whether the board says that it runs this model. A port that cannot be opened is an error, silence is not."""
    with open_port(port, compiled.board) as opened:
        try:
            hello = _ask(lambda: Conversation(opened, patience=_first_patience(compiled.board)).hello())
        except OSError:
            return False
    if hello is None:
        return False
    same = hello.model_hash == _hash(compiled)
    say(f"the board runs {'this model already' if same else 'another model: ' + hello.model_name}")
    return same


def _ask(hello: Callable[[], Hello]) -> Hello | None:
    try:
        return hello()
    except LinkError:
        return None


def _conversation(opened: Any, compiled: Compiled, patience: Patience) -> Conversation:
    port: Port = opened
    return Conversation(port, expect_hash=_hash(compiled), patience=patience)


def _hash(compiled: Compiled) -> bytes:
    return bytes.fromhex(compiled.program.hash)[:16]


def _patience(board: Board) -> Patience:
    return Patience(ready_seconds=board.line.ready_seconds)


def _first_patience(board: Board) -> Patience:
    seconds = board.line.ready_seconds if board.line.modem in ("resets-on-open", "esp-reset") else 1.0
    return Patience(ready_seconds=min(seconds, 3.0), attempts=_FIRST_ATTEMPTS)
