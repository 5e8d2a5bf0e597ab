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
ARDUINO = Path("/usr/share/arduino/hardware/arduino/avr")
_SCONS = """import sys
from SCons.Script.Main import main
sys.exit(main())
"""


def seed_core(folder: Path) -> dict[str, str]:
    """Fill `folder` as PlatformIO's core directory; gives the environment in which `pio` uses it, and no network."""
    needed = {name: shutil.which(name) for name in ("avr-gcc", "avrdude")}
    missing = [name for name, path in needed.items() if path is None]
    if missing or not ARDUINO.is_dir():
        pytest.skip(f"needs {', '.join(missing) or 'the Arduino core'}: apt install -y $(cat .ci/packages.txt)")
    shutil.copytree(HERE / "platforms", folder / "platforms")
    for platform in sorted((folder / "platforms").iterdir()):
        manifest = json.loads((platform / "platform.json").read_text())
        _mark(platform, "platform", manifest["name"], manifest["version"])
    packages = folder / "packages"
    _package(packages / "toolchain-atmelavr", "1.0.0", {f"bin/{path.name}": path for path in _avr_tools()})
    _package(packages / "framework-arduino-avr", "5.0.0", {path.name: path for path in ARDUINO.iterdir()})
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


def _avr_tools() -> list[Path]:
    return sorted(Path("/usr/bin").glob("avr-*"))


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
