"""What an attempt tells others about itself (logs, progress, outcome), and what is done to it (memory limits, chaos).

Rule: knows no format and no program.
"""
