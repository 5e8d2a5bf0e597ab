"""The Arduino core as one library, from where the package's link points to."""

from pathlib import Path

from SCons.Script import DefaultEnvironment

env = DefaultEnvironment()
board = env.BoardConfig()
core = Path(env.PioPlatform().get_package_dir("framework-arduino-avr"))

env.Append(
    CPPDEFINES=[("ARDUINO", 10819), "ARDUINO_ARCH_AVR", ("F_CPU", "$BOARD_F_CPU")],
    CPPPATH=[str(core / "cores" / "arduino"), str(core / "variants" / board.get("build.variant"))],
    LIBSOURCE_DIRS=[str(core / "libraries")],
    LIBS=[
        env.BuildLibrary(str(Path("$BUILD_DIR") / "FrameworkArduino"), str(core / "cores" / "arduino")),
    ],
)
