"""From the job's input URIs to a written plan: list, cut, pin, write.

Rule: may be repeated at any point; whoever creates the plan first has made it.
"""
