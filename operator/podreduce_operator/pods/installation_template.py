"""Checks the installation's pod template when the operator starts.

Rule: pure. A job's template is wrong for one job, and its condition says so; the installation's would fail every job.
"""

from collections.abc import Mapping
from typing import Any

from podreduce_operator.pods.pod_manifest import INSTALLATION_TEMPLATE, TASK_CONTAINER
from podreduce_operator.pods.template_check import check_template
from podreduce_operator.pods.template_merge import PodTemplateError

__all__ = ["check_installation_template"]

SET_ELSEWHERE = {"image": "runtimeImage", "resources": "tasks.resources"}
"""What the template may not say of the task's container, and the chart's value that says it.

Over the image the job's own could not win, and of resources the job's and these would be mixed.
"""


def check_installation_template(template: Mapping[str, Any]) -> None:
    """Check the template's shape.

    Raises:
        PodTemplateError: no job could have a pod with it, or it says what another setting says.
    """
    merged = check_template(template, INSTALLATION_TEMPLATE)
    task = next(each for each in merged["spec"]["containers"] if each["name"] == TASK_CONTAINER)
    for name, setting in SET_ELSEWHERE.items():
        if name in task:
            place = f"{INSTALLATION_TEMPLATE}.spec.containers[name={TASK_CONTAINER}].{name}"
            raise PodTemplateError(f"{place}: set {setting} instead")
