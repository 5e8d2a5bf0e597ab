"""The stand-in core as one library, on start-up, linker script and line of midge's emulated boards."""

import json
from pathlib import Path
from string import Template

from SCons.Script import DefaultEnvironment

env = DefaultEnvironment()
board = env.BoardConfig()
platform = env.PioPlatform()
chip = json.loads((Path(platform.get_dir()) / "stand_in.json").read_text())[board.get("build.mcu")]
framework = Path(platform.get_package_dir(platform.frameworks["arduino"]["package"]))
firmware = framework / "firmware"
build = Path(env.subst("$BUILD_DIR"))

build.mkdir(parents=True, exist_ok=True)
script = (firmware / "port" / chip["port"] / "link.ld").read_text()
for what, instead in chip.get("relink", {}).items():
    script = script.replace(what, instead)
(build / "link.ld").write_text(Template(script).substitute(chip["memory"]))

env.Append(
    CPPDEFINES=[("ARDUINO", 10819)],
    CPPPATH=[str(framework / "core")],
    LINKFLAGS=["-T" + str(build / "link.ld")],
)
# The board's own functions, under names that leave midge's port its own.
line = env.Clone()
names = ("init", "read", "write", "ticks", "ticks_hz", "is_emulated")
line.Append(
    CPPPATH=[str(firmware)],
    CPPDEFINES=[
        ("MIDGE_PORT_DEVICE", chip["device"]),
        ("MIDGE_PORT_CLOCK_HZ", "$BOARD_F_CPU"),
        *((f"midge_port_{name}", f"line_{name}") for name in names),
    ],
)
env.Append(
    LIBS=[
        env.BuildLibrary(str(build / "FrameworkArduino"), str(framework / "core")),
        line.BuildLibrary(str(build / "FrameworkLine"), str(firmware / "port" / chip["line"])),
    ],
)
# Objects, not a library: nothing asks for the vectors.
env.Append(PIOBUILDFILES=line.CollectBuildFiles(str(build / "FrameworkStart"), str(firmware / "port" / chip["port"])))
