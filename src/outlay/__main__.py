"""Runs the command as ``python -m outlay``."""

from outlay.cli.main import main

if __name__ == "__main__":
    main()
