"""The rules of a MapReducePipeline: which steps may run, how they share the slots, and when a loop ends.

Rule: pure. Steps are known by their names and positions; nothing here knows a client, a clock or a store. `policy`
combines the rules into decisions.
"""
