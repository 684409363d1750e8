"""The runs of this machine: a history of the last ones, and what the commands that ask about jobs show of them.

Rule: a run writes one line when it begins and one when it ends. Nothing else of podreduce needs the history.
Running a job does not belong here: `cli/run` does.
"""
