"""The frozen values that pass between packages, the errors, and the interface of a cluster.

Rule: data without behaviour: no clock, no client, no decision. A value that one package alone uses stays in that package.
"""
