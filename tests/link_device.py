"""A device to talk to in tests: the firmware's link with a small model behind it, to build in three ways.

The model adds 1 to each byte of input 0 and sums input 1; its outputs overlap its inputs in the arena and a run
clobbers everything else, so that a run too many or a byte from another sample shows in the outputs.
"""

from __future__ import annotations

import ctypes
import random
import subprocess
from pathlib import Path

import pytest

from midge.build.toolchain import Toolchain, find_host_compiler
from midge.errors import MidgeError
from midge.resources import firmware_dir

INPUT_BYTES = (300, 5)
OUTPUT_BYTES = (300, 8)
LAYERS = 40
TICKS = 7 * 10**9
LAYER_TICKS = 10**11
"""Of one run, and of each layer times its number: more than 32 bits."""
MAX_PAYLOAD = 128
HASH = bytes(range(1, 17))

APP = """
#include "link/app.h"
static uint8_t arena[400];
static midge_ticks layer_ticks[40];
uint32_t device_runs = 0;
static const midge_buffer input[2] = {{arena, 300}, {arena + 310, 5}};
static const midge_buffer output[2] = {{arena + 20, 300}, {arena + 330, 8}};
static midge_ticks run(void) {
    uint8_t sum[300], total = 0;
    for (int i = 0; i < 300; i++) sum[i] = (uint8_t)(arena[i] + 1);
    for (int i = 0; i < 5; i++) total = (uint8_t)(total + arena[310 + i]);
    __builtin_memset(arena, 0xEE, sizeof arena);
    __builtin_memcpy(arena + 20, sum, 300);
    __builtin_memset(arena + 330, total, 8);
    for (int i = 0; i < 40; i++) layer_ticks[i] = (midge_ticks)i * 100000000000u;
    device_runs++;
    return 7000000000u;
}
static uint16_t kernel(uint16_t layer) { return (uint16_t)(1000 + layer); }
const midge_app midge_app_model = {
    .name = "adder", .hash = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, .arena_bytes = sizeof arena,
    .kernel = kernel,
    .inputs = 2, .outputs = 2, .layers = 40, .input = input, .output = output, .run = run, .layer_ticks = layer_ticks,
};
"""

# The same, but what input 1 sums up to is added to the sums of all earlier runs since a reset.
REMEMBERING_APP = (
    APP.replace(
        "static midge_ticks run(void) {",
        "static uint8_t memory = 99;\nstatic void reset(void) { memory = 0; }\nstatic midge_ticks run(void) {",
    )
    .replace(
        "    __builtin_memset(arena, 0xEE",
        "    total = memory = (uint8_t)(memory + total);\n    __builtin_memset(arena, 0xEE",
    )
    .replace(".run = run,", ".run = run, .reset = reset,")
)

_HARNESS = """
#include "link/cobs.h"
#include "link/crc.h"
#include "link/protocol.h"
#include "port/port.h"
#include <string.h>
static uint8_t sent[1 << 16];
static size_t sent_size;
static uint64_t clock_ticks;
static midge_link link;
void midge_port_init(void) {}
size_t midge_port_read(uint8_t *buf, size_t max) { (void)buf; (void)max; return 0; }
void midge_port_write(const uint8_t *buf, size_t n) {
    if (n > sizeof sent - sent_size) return;
    memcpy(sent + sent_size, buf, n);
    sent_size += n;
}
midge_ticks midge_port_ticks(void) { return clock_ticks += 7; }
bool midge_port_is_emulated(void) { return false; }
uint32_t midge_port_ticks_hz(void) { return 1000; }
void device_start(void) {
    memset(&link, 0, sizeof link);
    midge_link_init(&link, &midge_app_model);
}
void device_push(const uint8_t *data, size_t size) {
    for (size_t i = 0; i < size; i++) midge_link_push(&link, data[i]);
}
size_t device_take(uint8_t *data) {
    size_t size = sent_size;
    memcpy(data, sent, size);
    sent_size = 0;
    return size;
}
uint32_t device_crc(const uint8_t *data, size_t size) { return midge_crc32(0, data, size); }
void device_encode(const uint8_t *data, size_t size) { midge_cobs_encode(data, size, midge_port_write); }
/* Each frame of the stream as its length in two bytes and its bytes. */
void device_decode(const uint8_t *data, size_t size, uint16_t capacity) {
    uint8_t frame[1 << 12];
    midge_cobs_decoder decoder = {.data = frame, .capacity = capacity};
    for (size_t i = 0; i < size; i++) {
        uint16_t length = midge_cobs_push(&decoder, data[i]);
        uint8_t prefix[2] = {(uint8_t)length, (uint8_t)(length >> 8)};
        if (length > 0) {
            midge_port_write(prefix, 2);
            midge_port_write(frame, length);
        }
    }
}
"""


def expected_outputs(inputs: list[bytes]) -> list[bytes]:
    """What the model computes, in Python."""
    return [bytes((value + 1) % 256 for value in inputs[0]), bytes([sum(inputs[1]) % 256]) * OUTPUT_BYTES[1]]


def draw_inputs(rng: random.Random) -> list[bytes]:
    """One sample; some have many zeros, which COBS replaces."""
    few = rng.random() < 0.3
    return [bytes(rng.randrange(2) if few else rng.randrange(256) for _ in range(size)) for size in INPUT_BYTES]


def host_compiler() -> Toolchain:
    """A C compiler of this computer; skips the test where there is none."""
    try:
        return find_host_compiler()
    except MidgeError as error:
        pytest.skip(str(error))


class Device:
    """The link and the model as a library: what is pushed in is answered at once, and nothing takes time."""

    def __init__(self, folder: Path, app: str = APP) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "app.c").write_text(app)
        (folder / "harness.c").write_text(_HARNESS)
        firmware = firmware_dir()
        flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-fPIC", "-shared", f"-I{firmware}"]
        sources = [folder / "app.c", folder / "harness.c", *sorted((firmware / "link").glob("*.c"))]
        define = f"-DMIDGE_LINK_MAX_PAYLOAD={MAX_PAYLOAD}"
        target = folder / "device.so"
        subprocess.run([*host_compiler().command, *flags, define, *map(str, sources), "-o", str(target)], check=True)
        self.library = ctypes.CDLL(str(target))
        self.library.device_take.restype = ctypes.c_size_t
        self.library.device_crc.restype = ctypes.c_uint32
        self.start()

    def start(self) -> None:
        """Power on: the link knows nothing."""
        self.take()
        self.library.device_start()

    def push(self, data: bytes) -> None:
        """Bytes come in on the line."""
        self.library.device_push(data, ctypes.c_size_t(len(data)))

    def take(self) -> bytes:
        """Bytes that went out since the last call."""
        buffer = ctypes.create_string_buffer(1 << 16)
        size = self.library.device_take(buffer)
        return buffer.raw[:size]

    def crc(self, data: bytes) -> int:
        """midge_crc32."""
        return int(self.library.device_crc(data, ctypes.c_size_t(len(data))))

    def cobs_encode(self, data: bytes) -> bytes:
        """midge_cobs_encode."""
        self.library.device_encode(data, ctypes.c_size_t(len(data)))
        return self.take()

    def cobs_decode(self, stream: bytes, capacity: int) -> list[bytes]:
        """The frames that midge_cobs_push finds in a stream."""
        self.library.device_decode(stream, ctypes.c_size_t(len(stream)), capacity)
        data, frames = self.take(), []
        while data:
            size = int.from_bytes(data[:2], "little")
            frames.append(data[2 : 2 + size])
            data = data[2 + size :]
        return frames

    @property
    def runs(self) -> int:
        """How often the model has really run."""
        return int(ctypes.c_uint32.in_dll(self.library, "device_runs").value)


class DevicePort:
    """A pyserial-like port to a `Device`, which returns b"" at once when nothing is there, as the emulator does."""

    def __init__(self, device: Device) -> None:
        self.timeout: float | None = None
        self.device = device
        self._received = bytearray()

    @property
    def in_waiting(self) -> int:
        return len(self._received)

    def read(self, size: int = 1, /) -> bytes:
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    def write(self, data: bytes, /) -> int:
        self.device.push(data)
        self._received += self.device.take()
        return len(data)

    def reset_input_buffer(self) -> None:
        self._received.clear()


class FaultyPort(DevicePort):
    """A line that loses, doubles, flips and reorders bytes and frames in both directions, and cuts the power at times.

    A share `rate` of the frames meets one fault, and one in a thousand a reboot; all is drawn from `rng`.
    """

    def __init__(self, device: Device, rng: random.Random, rate: float) -> None:
        super().__init__(device)
        self._rng = rng
        self._rate = rate
        self._held: dict[str, list[bytes]] = {"to": [], "from": []}

    def write(self, data: bytes, /) -> int:
        if self._rng.random() < self._rate / 100:
            self.device.start()
        for frame in self._through("to", data):
            self.device.push(frame)
        for frame in self._through("from", self.device.take()):
            self._received += frame
        return len(data)

    def _through(self, way: str, data: bytes) -> list[bytes]:
        frames: list[bytes] = []
        for piece in data.split(b"\0"):
            if piece:
                frames += self._fault(way, b"\0" + piece + b"\0")
        return frames

    def _fault(self, way: str, frame: bytes) -> list[bytes]:
        rng, held = self._rng, self._held[way]
        out = [frame]
        if rng.random() < self._rate:
            at = rng.randrange(len(frame))
            fault = rng.randrange(8)
            if fault == 0:
                out = []
            elif fault == 1:
                out = [frame, frame]
            elif fault == 2:
                held.append(frame)
                out = []
            elif fault == 3:
                out = [frame[:at] + frame[at + 1 :]]
            elif fault == 4:
                out = [frame[: at + 1] + frame[at:]]
            elif fault == 5:
                out = [frame[:at] + bytes([frame[at] ^ 1 << rng.randrange(8)]) + frame[at + 1 :]]
            elif fault == 6:
                out = [frame[:at] + frame[at : at + 2][::-1] + frame[at + 2 :]]
            else:
                out = [frame[:at], rng.randbytes(rng.randrange(300)), frame[at:]]
        while held and rng.random() < 0.3:
            out.insert(rng.randrange(len(out) + 1), held.pop(rng.randrange(len(held))))
        return out
