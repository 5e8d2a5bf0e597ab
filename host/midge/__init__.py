"""midge: trained neural networks in, proven and measured microcontroller firmware out."""

__version__ = "0.1.0"
