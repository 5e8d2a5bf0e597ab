"""Whether PyTorch is there, which everything else in this package needs."""

from __future__ import annotations

import importlib.util

from midge.errors import MissingExtraError


def require_torch() -> None:
    """Raises MissingExtraError, with the pip command, where PyTorch is not installed."""
    if importlib.util.find_spec("torch") is None:
        raise MissingExtraError("training needs PyTorch, not installed", hint='pip install "midge[train]"')
