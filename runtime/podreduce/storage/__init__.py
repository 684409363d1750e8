"""Objects in S3, a directory or memory: a thin layer over obstore, the same for sync tasks and the async operator.

Rule: every read and write of a store goes through `ObjectStore`. Only this package imports obstore, and no exception of
obstore leaves it (`store_errors` maps them to `podreduce.contract.errors`). What an object is for does not belong here:
`contract` has the keys and the records, `encoding` the blobs.
"""

from podreduce.contract.uris import split_object_uri
from podreduce.storage.connect import open_store
from podreduce.storage.listing import in_batches
from podreduce.storage.place import NO_GATE, Gate
from podreduce.storage.probe import probe_conditional_create
from podreduce.storage.readable_store import ObjectMeta
from podreduce.storage.staging import StagedUpload, check_staged, discard_staged, is_pending, publish_staged
from podreduce.storage.store import ObjectStore
from podreduce.storage.telemetry import Answer, OnRequest, Operation, ignore_request
from podreduce.storage.writer import Blocks, Data, ObjectWriter

__all__ = [
    "NO_GATE",
    "Answer",
    "Blocks",
    "Data",
    "Gate",
    "ObjectMeta",
    "ObjectStore",
    "ObjectWriter",
    "OnRequest",
    "Operation",
    "StagedUpload",
    "check_staged",
    "discard_staged",
    "ignore_request",
    "in_batches",
    "is_pending",
    "open_store",
    "probe_conditional_create",
    "publish_staged",
    "split_object_uri",
]
