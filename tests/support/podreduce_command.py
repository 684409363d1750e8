"""The command line as tests start it: with this Python, whatever is installed beside it."""

import sys

__all__ = ["COMMAND"]

COMMAND = (sys.executable, "-m", "podreduce_operator.cli.app")
