"""Reports about a run's attempts after their pods are gone: kept records, the table of attempts, the post-mortem.

Rule: no decision about a run reads these.
"""
