"""The command line of pipelines: their files, their local engine, what a person sees, and the report.

Rule: as in `cli`: nothing here decides anything about a pipeline.
"""
