"""What is told of a run's attempts after their pods are gone: kept records, the table of attempts, the post-mortem.

Rule: nothing that decides about a run reads this.
"""
