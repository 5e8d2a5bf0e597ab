"""TensorFlow Lite's reference kernels, live: the runtime that integer models are held equal to.

The runtime is C++ that trusts its model files, so it runs in a process of its own, started by `Reference`: what kills
that process is an error here. The two speak in messages over pipes: eight bytes of length (little-endian), then an
.npz; see midge.run.reference_worker.
"""

from __future__ import annotations

import contextlib
import importlib.util
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np

from midge.errors import DataError, MissingExtraError, UnsupportedModelError
from midge.importers import read_model_file
from midge.ir.tensor import Array
from midge.run.reference_worker import PACKAGES, read_message, write_message

# A load or one inference of any network that a microcontroller holds takes the reference kernels under a minute.
DEFAULT_TIMEOUT_SECONDS = 120.0


class Reference:
    """One model in TensorFlow Lite's reference interpreter. Use it in a `with`, or call `close`.

    Inputs and outputs have the model's own shapes and types, in the order of the graph's inputs and outputs. Variables
    keep their values from run to run until `reset`. Raises MissingExtraError when no runtime is installed,
    UnsupportedModelError when the runtime refuses the model, dies of it or does not end in time.
    """

    def __init__(self, model: Path | bytes, *, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS) -> None:
        if not any(importlib.util.find_spec(package) for package in PACKAGES):
            raise MissingExtraError(
                "TensorFlow Lite's runtime is not installed; midge needs it as the reference",
                hint="pip install tflite-runtime (Python 3.11), pip install ai-edge-litert (from Python 3.12)",
            )
        self._data = model if isinstance(model, bytes) else read_model_file(model)
        self._name = "the model" if isinstance(model, bytes) else model.name
        self._timeout = timeout_seconds
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the process)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "midge.run.reference_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        # However the last user lets go of this, the process ends.
        self._end = weakref.finalize(self, _end, self._process, self._log)
        try:
            self._ask("load", [np.frombuffer(self._data, np.uint8)])
        except BaseException:
            self.close()
            raise

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """The outputs for one sample."""
        answer = self._ask("run", inputs)
        return [answer[f"a{i}"] for i in range(len(answer))]

    def reset(self) -> None:
        """Forget all earlier samples."""
        self._ask("reset", ())

    def run_all(self, inputs: Sequence[Array]) -> Mapping[str, Array]:
        """The value of every tensor for one sample, by the names that the imported graph has for them."""
        from midge.importers.tflite import tensor_names

        names = tensor_names(self._data, self._name)
        answer = self._ask("run_all", inputs)
        return {names[int(key[1:])]: value for key, value in answer.items() if int(key[1:]) < len(names)}

    def close(self) -> None:
        """End the process. A closed reference cannot run again."""
        self._end()

    def __enter__(self) -> Reference:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _ask(self, request: str, arrays: Sequence[Array]) -> dict[str, Array]:
        """Send one request and wait for its answer."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        # Killing the process ends the wait: its pipe closes.
        guard = threading.Timer(self._timeout, self._process.kill)
        guard.start()
        try:
            write_message(stdin, {"request": np.array(request), **{f"a{i}": a for i, a in enumerate(arrays)}})
            answer = read_message(stdout)
        except (OSError, EOFError, ValueError):
            answer = None
        finally:
            timed_out = not guard.is_alive()
            guard.cancel()
        if answer is None:
            raise self._lost(request, timed_out)
        if "refused" in answer:
            raise UnsupportedModelError(
                f"TensorFlow Lite's reference runtime refuses {self._name}: {answer['refused']}",
                hint="compare with stored outputs instead: --golden FILE.npz",
            )
        if "unfit" in answer:
            raise DataError(f"{self._name}: {answer['unfit']}", hint="give inputs of the model's shapes and types")
        return answer

    def _lost(self, request: str, timed_out: bool) -> UnsupportedModelError:
        if timed_out:
            what = f"did not end within {self._timeout:g} s"
        else:
            what = f"died (exit {self._process.wait()}): {self._last_words()}"
        return UnsupportedModelError(
            f"TensorFlow Lite's reference runtime {what}, asked to {request} {self._name}",
            hint="the file may be damaged: export it again, or compare with stored outputs: --golden FILE.npz",
        )

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read()[-4096:].decode("utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


def _end(process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, log):
        if pipe is not None:
            with contextlib.suppress(OSError):  # what is left in a buffer has no reader any more
                pipe.close()
