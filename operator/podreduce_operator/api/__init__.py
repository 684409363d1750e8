"""The resources as their authors write them: schema, defaults, rules, and the typed spec.

Rule: pure, and imports no other package of the operator. Decisions about a job do not belong here.
"""
