"""The resources as their authors write them: schema, defaults, rules, and the typed spec.

Rule: pure, and imports nothing else of the operator. What the operator decides about a job does not belong here.
"""
