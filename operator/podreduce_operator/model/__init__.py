"""The frozen values that pass between packages, and the errors.

Rule: data without behaviour: no clock, no client, no decision. A value that only one package uses stays there.
"""
