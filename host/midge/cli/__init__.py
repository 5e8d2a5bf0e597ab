"""The command line: one file per command, each calls the pipeline and prints. stdout is data, stderr is talk."""

from __future__ import annotations

import difflib
import importlib
import os
import pkgutil
import sys
import warnings

import click

from midge import __version__
from midge.cli.process import behave
from midge.cli.talk import complain, talk
from midge.errors import MidgeError

_NOT_COMMANDS = {"budgeting", "compiling", "compressing", "files", "options", "process", "talk", "training"}
# In the order in which one meets them. A command that is in none of these is listed last.
_SECTIONS = {
    "Look": ("inspect", "fit", "boards", "doctor", "report"),
    "Deploy and prove": ("compile", "run", "verify", "compare"),
    "Make it fit": ("quantize", "tune", "search", "compress"),
    "One technique at a time": ("prune", "cluster", "factor", "share", "scale", "train", "distil"),
    "Ports": ("emulate", "monitor"),
}
_LONGEST_SUMMARY = 400


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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, but a command that there is none of is answered with those that it may have meant."""
        close = difflib.get_close_matches(args[0], self.list_commands(ctx))
        if close and args[0] not in close:
            meant = " or ".join(f"'midge {name}'" for name in close)
            ctx.fail(f"No such command {args[0]!r}. Did you mean {meant}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Every command with its whole first sentence, by what it is for."""
        left = [name for name in self.list_commands(ctx) if not any(name in names for names in _SECTIONS.values())]
        for title, names in (*_SECTIONS.items(), ("Others", left)):
            commands = [(name, self.get_command(ctx, name)) for name in names]
            rows = [(name, command.get_short_help_str(_LONGEST_SUMMARY)) for name, command in commands if command]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="midge %(version)s")
def cli() -> None:
    """Trained neural networks in, proven and measured microcontroller firmware out.

    Begin with `midge run MODEL --board BOARD --emulate --data FILE.npz`. Exit codes: 0 ok, 1 something that you can
    fix, 2 usage, 3 it does not fit, 4 a check failed, 130 interrupted.
    """


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Warnings of the library are notes to a person here, without file and line."""
    talk(f"note: {message}")


def main() -> None:
    """The entry point: errors become words and an exit code, never a traceback.

    0 ok, 1 something the user can fix, 2 usage, 3 does not fit, 4 a check failed, 130 interrupted (143: by SIGTERM).
    """
    behave()
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
