"""Every error that a user can meet, named by who can fix it. Each says what, where, what is allowed, what to try."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from midge.report.record import Report


class MidgeError(Exception):
    """Root of all errors that midge reports in words instead of a traceback.

    `exit_code` is what the command line returns: 1 the user can fix it, 3 it does not fit, 4 a check failed.
    `hint` is one sentence that says what to try.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  try: {self.hint}" if self.hint else self.message


class ModelFileError(MidgeError):
    """The model file cannot be read: missing, truncated, corrupt, or of another format."""


class UnsupportedModelError(MidgeError):
    """The file is sound but asks for what midge does not do; lists every such operator at once."""


class DataError(MidgeError):
    """A data file cannot be read, or its shapes, types or splits do not suit the model."""


class SettingsError(MidgeError):
    """A setting, alone or together with another, makes no sense."""


class BoardError(MidgeError):
    """An unknown board, or a board file with a mistake (the message has the path of the field)."""


class MissingExtraError(MidgeError):
    """A Python package of an optional extra is not installed; the hint is the pip command."""


class ToolchainError(MidgeError):
    """No compiler for the core, or the compiler refused the sources."""


class LinkError(MidgeError):
    """The serial conversation failed: no answer, damaged beyond retries, or another model's firmware."""


class InterruptedRunError(LinkError):
    """A board stopped answering in the middle of an evaluation. `report` is of the samples that ran before."""

    def __init__(self, problem: MidgeError, report: Report) -> None:
        super().__init__(f"{problem.message}; the report is of the {report.exact.samples} samples before that")
        self.hint = problem.hint
        self.report = report


class DeviceFaultError(MidgeError):
    """The core stopped: a fault, a stack overflow, unmapped memory or no end within the deadline."""


class DoesNotFitError(MidgeError):
    """The model needs more flash or RAM than the board has."""

    exit_code = 3


class CheckFailedError(MidgeError):
    """A comparison failed: outputs differ from the reference, or a measured figure is past its limit."""

    exit_code = 4


class InternalError(MidgeError):
    """A broken promise inside midge itself (the graph verifier, a kernel's contract): please report it."""
