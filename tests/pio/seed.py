"""A PlatformIO core directory that needs no network: our stand-ins for platforms, links to Debian's compilers.

PlatformIO takes a folder for installed when `package.json` has name and version and `.piopm` says where it came from.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FIRMWARE = HERE.parents[1] / "firmware"
ARDUINO = Path("/usr/share/arduino/hardware/arduino/avr")
# By the names that PlatformIO's platforms ask for.
_TOOLCHAINS = {
    "toolchain-atmelavr": "avr-",
    "toolchain-gccarmnoneeabi": "arm-none-eabi-",
    "toolchain-riscv32-esp": "riscv64-unknown-elf-",
    "toolchain-xtensa": "xtensa-lx106-elf-",
}
# All of these are the core in tests/pio/core.
_FRAMEWORKS = (
    *("framework-arduino-mbed", "framework-arduino-sam", "framework-arduinoststm32", "framework-arduinoteensy"),
    *("framework-arduinorenesas-uno", "framework-arduinoespressif32", "framework-arduinoespressif8266"),
)
_SCONS = """import sys
from SCons.Script.Main import main
sys.exit(main())
"""


def seed_core(folder: Path) -> dict[str, str]:
    """Fill `folder` as PlatformIO's core directory; gives the environment in which `pio` uses it, and no network."""
    needed = {name: shutil.which(name) for name in ("avrdude", *(f"{prefix}gcc" for prefix in _TOOLCHAINS.values()))}
    missing = [name for name, path in needed.items() if path is None]
    if missing or not ARDUINO.is_dir():
        pytest.skip(f"needs {', '.join(missing) or 'the Arduino core'}: apt install -y $(cat .ci/packages.txt)")
    for manifest in sorted(HERE.glob("platforms/*/platform.json")):
        _platform(manifest.parent, folder / "platforms" / manifest.parent.name)
    packages = folder / "packages"
    for name, prefix in _TOOLCHAINS.items():
        tools = sorted(Path("/usr/bin").glob(f"{prefix}*"))
        _package(packages / name, "1.0.0", {f"bin/{path.name}": path for path in tools})
    _package(packages / "framework-arduino-avr", "5.0.0", {path.name: path for path in ARDUINO.iterdir()})
    for name in _FRAMEWORKS:
        _package(packages / name, "1.0.0", {"core": HERE / "core", "firmware": FIRMWARE})
    avrdude = {"bin/avrdude": Path(str(needed["avrdude"])), "avrdude.conf": Path("/etc/avrdude.conf")}
    _package(packages / "tool-avrdude", "1.0.0", avrdude)
    _package(packages / "tool-scons", _scons_version(), {})
    (packages / "tool-scons" / "scons.py").write_text(_SCONS)
    return {
        "PLATFORMIO_CORE_DIR": str(folder),
        # Whatever would ask the network finds nobody there, at once.
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "PLATFORMIO_SETTING_ENABLE_PROXY_STRICT_SSL": "no",
    }


def _scons_version() -> str:
    """The version of its builder that this PlatformIO asks for; what runs is the `scons` package, whichever it is."""
    ask = "from platformio.dependencies import get_core_dependencies as g; print(g()['tool-scons'].lstrip('~^'))"
    return subprocess.run([sys.executable, "-c", ask], check=True, capture_output=True, text=True).stdout.strip()


def _platform(stand_in: Path, folder: Path) -> None:
    """A platform as its stand-in describes it; those without a builder of their own share one."""
    shutil.copytree(stand_in, folder)
    if not (folder / "builder").is_dir():
        shutil.copytree(HERE / "builder", folder / "builder")
    manifest = json.loads((folder / "platform.json").read_text())
    _mark(folder, "platform", manifest["name"], manifest["version"])


def _package(folder: Path, version: str, links: Mapping[str, Path]) -> None:
    folder.mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps({"name": folder.name, "version": version}))
    _mark(folder, "tool", folder.name, version)
    for name, target in links.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(target)


def _mark(folder: Path, kind: str, name: str, version: str) -> None:
    spec = {"owner": "platformio", "id": None, "name": name, "requirements": None, "uri": None}
    (folder / ".piopm").write_text(json.dumps({"type": kind, "name": name, "version": version, "spec": spec}))


if __name__ == "__main__":
    for name, value in seed_core(Path(sys.argv[1])).items():
        print(f"export {name}={value}")
