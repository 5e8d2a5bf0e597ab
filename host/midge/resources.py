"""Where the files that are not Python live: in the wheel inside the package, in a checkout beside `host/`."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_CHECKOUT = _PACKAGE.parent.parent


def templates_dir() -> Path:
    """The folder of Jinja templates."""
    return _find("templates", "templates")


def firmware_dir() -> Path:
    """The folder of the C that needs no model."""
    return _find("firmware", "firmware")


def boards_dir() -> Path:
    """The folder of board descriptions."""
    return _find("boards_data", "boards")


def _find(installed: str, checkout: str) -> Path:
    inside = _PACKAGE / installed
    return inside if inside.is_dir() else _CHECKOUT / checkout
