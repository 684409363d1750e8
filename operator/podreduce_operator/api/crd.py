"""The CustomResourceDefinitions: the API's names, and the files that hold its schemas, defaults and rules.

Rule: `crds/` is the only source. The wheel contains a copy of the files; a checkout reads the files themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from podreduce_operator.api.crd_schema import apply_defaults, drop_defaults, drop_unknown

__all__ = [
    "API_VERSION",
    "GROUP",
    "JOBS",
    "KIND",
    "PIPELINES",
    "PLURAL",
    "SCHEDULES",
    "VERSION",
    "ResourceNames",
    "explicit_spec",
    "job_schema",
    "known_spec",
    "load_crd",
    "read_crd",
    "schema_of",
    "schema_of_version",
]

GROUP = "podreduce.dev"
VERSION = "v1beta1"
API_VERSION = f"{GROUP}/{VERSION}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceNames:
    """What the API calls a kind of resource."""

    kind: str
    plural: str

    @property
    def file_name(self) -> str:
        """The name of the file of its CRD."""
        return f"{GROUP}_{self.plural}.yaml"


JOBS = ResourceNames(kind="MapReduceJob", plural="mapreducejobs")
PIPELINES = ResourceNames(kind="MapReducePipeline", plural="mapreducepipelines")
SCHEDULES = ResourceNames(kind="MapReduceSchedule", plural="mapreduceschedules")
KIND, PLURAL = JOBS.kind, JOBS.plural


def read_crd(names: ResourceNames = JOBS) -> str:
    """Return a CRD's text, from the wheel or from the checkout that contains this module."""
    packaged = files("podreduce_operator") / "crds" / names.file_name
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return (Path(__file__).parents[3] / "crds" / names.file_name).read_text(encoding="utf-8")


@cache
def load_crd(names: ResourceNames = JOBS) -> Mapping[str, Any]:
    """Return a parsed CRD. It is shared: do not change it."""
    import yaml  # noqa: PLC0415 - an extra's, needed only where manifests are handled

    crd: Mapping[str, Any] = yaml.load(read_crd(names), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe
    return crd


def job_schema() -> Mapping[str, Any]:
    """Return the OpenAPI schema of a MapReduceJob of this version. It is shared: do not change it."""
    return schema_of(JOBS)


def schema_of(names: ResourceNames) -> Mapping[str, Any]:
    """Return the OpenAPI schema of a kind of this version. It is shared: do not change it."""
    return schema_of_version(load_crd(names), VERSION)


def schema_of_version(crd: Mapping[str, Any], version: str) -> Mapping[str, Any]:
    """Return the OpenAPI schema of one version. The versions of a CRD may be in any order."""
    schemas = {each["name"]: each["schema"]["openAPIV3Schema"] for each in crd["spec"]["versions"]}
    schema: Mapping[str, Any] = schemas[version]
    return schema


def known_spec(spec: Mapping[str, Any], names: ResourceNames = JOBS) -> dict[str, Any]:
    """Return the fields of `spec` that the packaged CRD knows, with its defaults.

    The CRD in the cluster may be older, without some defaults, or newer, with more fields; and so may the operator have
    been that made a plan. In this form, specs of several releases can be compared.
    """
    schema = schema_of(names)["properties"]["spec"]
    known: dict[str, Any] = apply_defaults(schema, drop_unknown(schema, dict(spec)))
    return known


def explicit_spec(spec: Mapping[str, Any], names: ResourceNames = JOBS) -> dict[str, Any]:
    """Return the known fields of `spec` that do not have their defaults: the same when a release adds fields."""
    explicit: dict[str, Any] = drop_defaults(schema_of(names)["properties"]["spec"], known_spec(spec, names))
    return explicit
