"""`midge compare`: fail when a commit makes inference slower, larger or wrong."""

from __future__ import annotations

from pathlib import Path

import click

from midge.cli.talk import out
from midge.errors import CheckFailedError
