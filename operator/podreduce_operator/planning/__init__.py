"""Makes a run's plan from the job's input URIs: list, cut, pin, write.

Rule: may be repeated at any point. The first plan that is created is the plan. Where the bytes of a cut fall is for
`balance` to say, and when a run is planned, for `policy`.
"""
