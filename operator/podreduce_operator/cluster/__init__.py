"""What the loop asks of a cluster, and the two that answer: Kubernetes, and processes on this machine.

Rule: neither of the two knows the other, and neither decides what runs. What both need lies beside `interface`.
"""
