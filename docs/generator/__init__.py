"""Writes the parts of the docs and of the CRDs that follow from the code: `make docs`."""
