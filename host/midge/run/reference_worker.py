"""The process in which TensorFlow Lite's runtime lives: `python -m midge.run.reference_worker`, spoken to over pipes.

A message is eight bytes of length (little-endian) and an .npz. Requests: `request` is "load" (a0: the file's bytes),
"run" or "run_all" (a0, a1...: inputs), "reset" (nothing: variables are as at the start). Answers: a0, a1... (outputs,
or every tensor by its index), or a text: `refused` (the runtime does not take the model) or `unfit` (the inputs do not
suit it).
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import os
import sys
from collections.abc import Mapping
from typing import IO, Any

import numpy as np

from midge.ir.tensor import Array

# The runtime and its renamed successor, in order of preference.
PACKAGES = ("tflite_runtime", "ai_edge_litert")
_LENGTH_BYTES = 8
_LONGEST_MESSAGE = 4 << 30


def write_message(stream: IO[bytes], arrays: Mapping[str, Array]) -> None:
    """Send named arrays."""
    content = io.BytesIO()
    np.savez(content, **arrays)
    stream.write(len(content.getbuffer()).to_bytes(_LENGTH_BYTES, "little"))
    stream.write(content.getbuffer())
    stream.flush()


def read_message(stream: IO[bytes]) -> dict[str, Array]:
    """Receive named arrays. Raises EOFError when the other side is gone, ValueError for what is no message."""
    length = int.from_bytes(_exactly(stream, _LENGTH_BYTES), "little")
    if length > _LONGEST_MESSAGE:
        raise ValueError(f"a message of {length} bytes")
    with np.load(io.BytesIO(_exactly(stream, length)), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _exactly(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data


class _Worker:
    """Answers requests about one model."""

    def __init__(self) -> None:
        package = next(name for name in PACKAGES if importlib.util.find_spec(name))
        self._runtime = importlib.import_module(f"{package}.interpreter")
        self._interpreter: Any = None
        self._model = b""

    def answer(self, message: Mapping[str, Array]) -> Mapping[str, Array]:
        request = str(message["request"])
        arrays = [message[f"a{i}"] for i in range(len(message) - 1)]
        try:
            if request == "load":
                self._model = arrays[0].tobytes()
            if request in ("load", "reset"):
                return self._load()
            if unfit := self._unfit(arrays):
                return {"unfit": np.array(unfit)}
            return self._run(arrays, everything=request == "run_all")
        except (ValueError, RuntimeError, TypeError) as problem:
            return {"refused": np.array(" ".join(str(problem).split()))}

    def _load(self) -> Mapping[str, Array]:
        # A new interpreter: variables that are resources have no other way back to their start.
        # Keeping all tensors costs memory alone, and lets a comparison name the first layer that differs.
        self._interpreter = self._runtime.Interpreter(
            model_content=self._model,
            experimental_op_resolver_type=self._runtime.OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=True,
            num_threads=1,
        )
        self._interpreter.allocate_tensors()
        return {}

    def _unfit(self, inputs: list[Array]) -> str:
        details = self._interpreter.get_input_details()
        wanted = [(np.dtype(d["dtype"]), tuple(int(n) for n in d["shape"])) for d in details]
        found = [(a.dtype, a.shape) for a in inputs]
        if wanted == found:
            return ""
        say = [", ".join(f"{dtype}{list(shape)}" for dtype, shape in kinds) or "nothing" for kinds in (wanted, found)]
        return f"its inputs are {say[0]}, given are {say[1]}"

    def _run(self, inputs: list[Array], *, everything: bool) -> Mapping[str, Array]:
        runtime = self._interpreter
        for detail, value in zip(runtime.get_input_details(), inputs, strict=True):
            runtime.set_tensor(detail["index"], value)
        runtime.invoke()
        if not everything:
            return {f"a{i}": runtime.get_tensor(d["index"]) for i, d in enumerate(runtime.get_output_details())}
        values = {}
        for detail in runtime.get_tensor_details():
            # Some have no memory: absent optional tensors, handles of variables.
            with contextlib.suppress(ValueError):
                values[f"a{detail['index']}"] = np.asarray(runtime.get_tensor(detail["index"]))
        return values


def main() -> None:
    """Answer until the other side is gone."""
    requests = sys.stdin.buffer
    # The runtime prints to stdout when it likes to: keep the pipe for answers alone.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    worker = _Worker()
    while True:
        try:
            message = read_message(requests)
        except EOFError:
            return
        write_message(answers, worker.answer(message))


if __name__ == "__main__":
    main()
