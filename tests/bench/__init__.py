"""How fast podreduce is: whole jobs beside their peers, kernels alone, task overhead, and memory under a limit.

Rule: figures are measured here and judged by people. No test depends on a clock.
"""
