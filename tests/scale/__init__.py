"""Thousands of pods that only seem to run: how fast the operator creates them, and what that costs."""
