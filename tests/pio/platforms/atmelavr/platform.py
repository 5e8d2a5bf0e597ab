"""Nothing of its own: platform.json says all."""

from platformio.public import PlatformBase


class AtmelavrPlatform(PlatformBase):
    """AVR on Debian's tools."""
