"""The CustomResourceDefinition: the API's names, and the file that holds its schema, defaults and rules.

Rule: `crds/` is the only source. The wheel contains a copy of the file; a checkout reads the file itself.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

__all__ = ["API_VERSION", "GROUP", "KIND", "PLURAL", "VERSION", "job_schema", "load_crd", "read_crd"]

GROUP = "podreduce.dev"
VERSION = "v1beta1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "MapReduceJob"
PLURAL = "mapreducejobs"

FILE_NAME = f"{GROUP}_{PLURAL}.yaml"


def read_crd() -> str:
    """Return the CRD's text, from the wheel or from the checkout that contains this module."""
    packaged = files("podreduce_operator") / "crds" / FILE_NAME
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return (Path(__file__).parents[3] / "crds" / FILE_NAME).read_text(encoding="utf-8")


@cache
def load_crd() -> Mapping[str, Any]:
    """Return the parsed CRD. It is shared: do not change it."""
    import yaml  # noqa: PLC0415 - an extra's, needed only where manifests are handled

    crd: Mapping[str, Any] = yaml.load(read_crd(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe
    return crd


def job_schema() -> Mapping[str, Any]:
    """Return the OpenAPI schema of a MapReduceJob. It is shared: do not change it."""
    schema: Mapping[str, Any] = load_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema
