"""The command line: one file per command, each calls the pipeline and prints. stdout is data, stderr is talk."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
import warnings

import click

from midge import __version__
from midge.cli.talk import complain, talk
from midge.errors import MidgeError

_NOT_COMMANDS = {"compiling", "compressing", "files", "options", "talk", "training"}


class _Commands(click.Group):
    """Finds a command in the module of its name, imported when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The modules of this package that are commands."""
        return sorted({info.name for info in pkgutil.iter_modules(__path__)} - _NOT_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The `command` of the module called `cmd_name`."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command = importlib.import_module(f"midge.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="midge %(version)s")
def cli() -> None:
    """Trained neural networks in, proven and measured microcontroller firmware out."""


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Warnings of the library are notes to a person here, without file and line."""
    talk(f"note: {message}")


def main() -> None:
    """The entry point: errors become words and an exit code, never a traceback.

    0 ok, 1 something the user can fix, 2 usage, 3 does not fit, 4 a check failed, 130 interrupted.
    """
    warnings.showwarning = _show_warning
    try:
        code = cli.main(prog_name="midge", standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else 0)
    except MidgeError as error:
        complain(error)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        print("midge: stopped; nothing half-written is left behind", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output went away (`| head`): not an error, but nothing more can be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        complain(MidgeError(f"the system refused: {error}", hint="check disk space and permissions"))
        sys.exit(1)
