"""The operator: one level-triggered loop, observe → decide → apply, for a cluster and for a laptop.

Rule: async only; kopf is imported in `handlers` alone, clients only behind `cluster/`; `decide` and its neighbours are
pure. May import the runtime's contract, storage, formats, partition, errors and counters, never the reverse.
"""
