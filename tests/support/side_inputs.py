"""Side inputs of tasks that are run without an operator: objects in a store, and the plan's words for them."""

from collections.abc import Mapping
from typing import Any

from podreduce.contract.plan import InputOptions, SideInput, SideObject
from podreduce.storage import open_store
from podreduce_operator.planning.side_inputs import name_files

__all__ = ["put_side_input"]


def put_side_input(
    place: str, name: str, objects: Mapping[str, bytes], *, input_format: str = "Text", **options: Any
) -> SideInput:
    """Put objects below `place`, a URI, and return the side input that has them all, as it is planned."""
    store = open_store(place)
    for key, data in objects.items():
        store.put(key, data)
    found = [(store.uri_of(key), store.head(key)) for key in objects]
    paths = name_files("sideInputs[0]", [uri for uri, _ in found])
    return SideInput(
        name=name,
        input_format=input_format,
        input_options=InputOptions(**options),
        encoding_errors="Strict",
        objects=tuple(
            SideObject(uri=uri, path=path, bytes=meta.size, etag=meta.etag)
            for (uri, meta), path in zip(found, paths, strict=True)
        ),
    )
