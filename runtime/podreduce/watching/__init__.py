"""What an attempt reports about itself (logs, progress, outcome), and what limits or disturbs it (memory, chaos).

Rule: knows no format and no program.
"""
