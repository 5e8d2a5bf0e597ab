"""`python -m midge`: the command, where its script is not on the PATH."""

from midge.cli import main

if __name__ == "__main__":
    main()
