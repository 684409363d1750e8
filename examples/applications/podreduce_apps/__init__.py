"""Applications of podreduce: pipelines that people use as they are, and copy from.

Each subpackage is one application. It has a `pipeline.yaml` with the parameters `input` and `output`, the modules with
its jobs, `sample.py` with `write_sample(directory)`, and a README. Its step `report` writes `report.html`.

Rule: only what every user of podreduce has: classes, `context`, and libraries of the extra `apps`. What two
applications need is a module beside them. `catalog` names them all.
"""
