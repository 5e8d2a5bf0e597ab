"""`python -m midge`: the same as `midge`, for where that is not on the PATH."""

from midge.cli import main

main()
