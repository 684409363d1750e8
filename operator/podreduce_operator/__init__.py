"""The operator: one level-triggered loop, observe → decide → apply, for a cluster and for a laptop.

Rule: code is asynchronous unless it is pure. docs/architecture.md lists the packages and what each may import. The
operator imports the runtime's contract, encoding, storage, inputs and outputs; the runtime never imports the operator.
"""
