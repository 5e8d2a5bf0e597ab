"""Compile and link with one of Debian's GNU cross compilers, for the map that stand_in.json gives the chip."""

import json
from pathlib import Path

from SCons.Script import AlwaysBuild, Default, DefaultEnvironment

env = DefaultEnvironment()
board = env.BoardConfig()
platform = Path(env.PioPlatform().get_dir())
chip = json.loads((platform / "stand_in.json").read_text())[board.get("build.mcu")]

env.Replace(
    **{
        name: chip["prefix"] + tool
        for name, tool in {
            "AR": "gcc-ar",
            "AS": "as",
            "CC": "gcc",
            "CXX": "g++",
            "OBJCOPY": "objcopy",
            "RANLIB": "gcc-ranlib",
            "SIZETOOL": "size",
        }.items()
    },
    SIZEPROGREGEXP=r"^(?:\.vectors|\.\w+_code|\.\w+_const|\.data)\s+(\d+).*",
    SIZEDATAREGEXP=r"^(?:\.data|\.bss|\.stack" + chip.get("also_in_ram", "") + r")\s+(\d+).*",
    SIZECHECKCMD="$SIZETOOL -A -d $SOURCES",
    SIZEPRINTCMD="$SIZETOOL -B -d $SOURCES",
    ARFLAGS=["rc"],
    LINK="$CC",  # Debian has no C++ library for these chips, and nothing here needs one
    PROGNAME="firmware",
    PROGSUFFIX=".elf",
)
env.Append(
    ASPPFLAGS=["-x", "assembler-with-cpp"],
    CFLAGS=["-std=gnu11"],
    CCFLAGS=["-Os", "-ffunction-sections", "-fdata-sections", *chip["flags"]],
    CXXFLAGS=["-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics", "-std=gnu++17"],
    CPPDEFINES=chip["defines"],
    LINKFLAGS=["-Os", "-nostartfiles", "-Wl,--gc-sections", *chip["flags"]],
    LIBS=["m"],
)

elf = env.BuildProgram()
AlwaysBuild(env.Alias("size", elf, env.VerboseAction("$SIZEPRINTCMD", "Calculating size $SOURCE")))
Default([env.Alias("buildprog", elf, elf), "checkprogsize"])
