"""The process in which a framework loads a model file and exports it to ONNX; midge.importers.framework starts it.

    python -P -m midge.importers.framework_worker FOLDER...

Each folder holds `request.json` {"format": "keras" or "pytorch", "name"} and the file `model`; it gets `model.onnx`, or
`problem.json` {"error": a class of midge.errors, "message", "hint"}. While files are read this process can start no
other, open no connection and unpickle no class, whatever they ask for.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

from midge.errors import MidgeError, ModelFileError, UnsupportedModelError
from midge.importers.flatbuffer import DamagedFile

_EXPORTERS = {"keras": "midge.importers.keras_export", "pytorch": "midge.importers.torch_export"}
_FORBIDDEN = frozenset(
    """subprocess.Popen os.system os.exec os.posix_spawn os.fork os.forkpty pty.spawn pickle.find_class
    socket.connect socket.bind socket.sendto""".split()  # noqa: SIM905
)
_MOST_WORDS = 400


def main(folders: list[str]) -> None:
    """Answer every request, in order."""
    requests = [(Path(folder), json.loads((Path(folder) / "request.json").read_text())) for folder in folders]
    # The frameworks start processes of their own when they are loaded, which is before any model is.
    exporters = {kind: importlib.import_module(_EXPORTERS[kind]) for kind in {r["format"] for _, r in requests}}
    sys.addaudithook(_refuse)
    for folder, request in requests:
        try:
            _export(exporters[request["format"]], folder, request["name"])
        except MidgeError as problem:
            answer = {"error": type(problem).__name__, "message": problem.message, "hint": problem.hint}
            (folder / "problem.json").write_text(json.dumps(answer))


def _export(exporter: ModuleType, folder: Path, name: str) -> None:
    try:
        exporter.export_file(folder / "model", folder / "model.onnx", name)
    except DamagedFile as problem:
        raise ModelFileError(f"{name} is damaged: {problem}", hint="copy or save the file again") from problem
    except MidgeError:
        raise
    except Exception as problem:  # a framework raises whatever its code raises
        raise UnsupportedModelError(
            f"{exporter.FRAMEWORK} cannot export {name}: {words(problem)}", hint=exporter.HINT
        ) from problem


def words(problem: BaseException) -> str:
    """What a framework's error says, without what it repeats of the model."""
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    said = [line.removeprefix("Exception encountered: ") for line in lines if line.startswith("Exception encountered")]
    text = (said or lines or [""])[-1 if said else 0]
    return f"{type(problem).__name__}: {text[:_MOST_WORDS]}"


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event in _FORBIDDEN:
        raise PermissionError(f"the model file asks for {event}, which midge does not do")


if __name__ == "__main__":
    main(sys.argv[1:])
