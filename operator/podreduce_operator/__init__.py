"""The operator: one level-triggered loop, observe → decide → apply, for a cluster and for a laptop.

Rule: asynchronous but for what is pure; see docs/architecture.md for the packages and which may import which. The
operator imports the runtime's contract, encoding, storage, inputs and outputs; the runtime never imports the operator.
"""
