"""`python -m tests.bench pipeline`: what a pipeline costs, and what its parts gain.

Each module measures one thing and returns `Row`s; `measure_pipelines` shows them in one table.
"""
