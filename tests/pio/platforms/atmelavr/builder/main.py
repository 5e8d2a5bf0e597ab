"""Compile, link, make an Intel hex file, upload it with avrdude."""

from pathlib import Path

from SCons.Script import COMMAND_LINE_TARGETS, AlwaysBuild, Builder, Default, DefaultEnvironment

env = DefaultEnvironment()
board = env.BoardConfig()

env.Replace(
    AR="avr-gcc-ar",
    AS="avr-as",
    CC="avr-gcc",
    CXX="avr-g++",
    OBJCOPY="avr-objcopy",
    RANLIB="avr-gcc-ranlib",
    SIZETOOL="avr-size",
    SIZEPROGREGEXP=r"^(?:\.text|\.data|\.bootloader)\s+(\d+).*",
    SIZEDATAREGEXP=r"^(?:\.data|\.bss|\.noinit)\s+(\d+).*",
    SIZECHECKCMD="$SIZETOOL -A -d $SOURCES",
    SIZEPRINTCMD="$SIZETOOL --mcu=$BOARD_MCU -C -d $SOURCES",
    ARFLAGS=["rc"],
    PROGNAME="firmware",
    PROGSUFFIX=".elf",
)
env.Append(
    ASFLAGS=["-mmcu=$BOARD_MCU"],
    ASPPFLAGS=["-x", "assembler-with-cpp"],
    CFLAGS=["-std=gnu11", "-fno-fat-lto-objects"],
    CCFLAGS=["-Os", "-w", "-ffunction-sections", "-fdata-sections", "-flto", "-mmcu=$BOARD_MCU"],
    CXXFLAGS=["-fno-exceptions", "-fno-threadsafe-statics", "-fpermissive", "-std=gnu++11"],
    # Debian's compiler is older than the C++ library headers expect.
    CPPDEFINES=[("DECIMAL_DIG", "__DECIMAL_DIG__")],
    LINKFLAGS=["-Os", "-mmcu=$BOARD_MCU", "-Wl,--gc-sections", "-flto", "-fuse-linker-plugin"],
    LIBS=["m"],
    BUILDERS={
        "ElfToHex": Builder(
            action=env.VerboseAction("$OBJCOPY -O ihex -R .eeprom $SOURCES $TARGET", "Building $TARGET"), suffix=".hex"
        ),
    },
)
avrdude = Path(env.PioPlatform().get_package_dir("tool-avrdude"))
env.Replace(
    UPLOADER="avrdude",
    UPLOADERFLAGS=["-C", str(avrdude / "avrdude.conf"), "-v", "-p", "$BOARD_MCU", "-c", "$UPLOAD_PROTOCOL"]
    + ["-b", "$UPLOAD_SPEED", "-D", "-P", "$UPLOAD_PORT"],
    UPLOADCMD="$UPLOADER $UPLOADERFLAGS -U flash:w:$SOURCES:i",
)

elf = env.BuildProgram()
image = env.ElfToHex(str(Path("$BUILD_DIR") / "${PROGNAME}"), elf)
AlwaysBuild(env.Alias("size", elf, env.VerboseAction("$SIZEPRINTCMD", "Calculating size $SOURCE")))
env.AddPlatformTarget("upload", image, env.VerboseAction("$UPLOADCMD", "Uploading $SOURCE"), "Upload")
Default([env.Alias("buildprog", image, image), "checkprogsize"] if "upload" not in COMMAND_LINE_TARGETS else image)
