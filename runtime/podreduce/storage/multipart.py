"""What obstore cannot do in S3: multipart uploads step by step, and keys that are not paths. Uses botocore.

Rule: no exception of botocore leaves this module: they become those of `podreduce.contract.errors`. Importing botocore
takes a tenth of a second, so it is imported only to connect.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from operator import itemgetter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypedDict

from podreduce.contract.errors import ObjectNotFoundError, StorageDeniedError, UploadLostError
from podreduce.storage.key_files import EXPIRE_SECONDS
from podreduce.storage.place import BeforeWrite, Place
from podreduce.storage.redirects import raise_redirect, write_headers_as_text
from podreduce.storage.retries import with_retries
from podreduce.storage.store_errors import AnswerError
from podreduce.storage.telemetry import OnRequest, ignore_request

if TYPE_CHECKING:
    from obstore import ObjectMeta as ListedObject

    from podreduce.storage.access import Access
    from podreduce.storage.key_files import KeyFiles, Keys

__all__ = ["MultipartClient", "connect_multipart"]

CONNECT_TIMEOUT_SECONDS = 5
REQUEST_TIMEOUT_SECONDS = 30
CONNECTIONS = 16
NOT_S3 = "the answer is not one of S3: correct endpoint in the storage secret"
READS = frozenset({"list_parts", "head_object", "list_objects_v2", "get_object"})
LOST_UPLOADS = frozenset({"NoSuchUpload", "InvalidPart"})
"""The store's codes for an upload that is gone, and for one that lost a part."""


class MultipartClient:
    """The uploads to one bucket; safe to share between threads.

    Every method retries temporary faults and raises StorageDeniedError or StorageUnavailableError, as `ObjectStore`
    does, and UploadLostError if the store does not know the upload (any more).

    Args:
        client: botocore's S3 client.
        before_write: called before each try of a request that changes something.
        on_request: told how each try of a request ended.
        key_files: where the client's keys come from, if they may change.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - untyped package
        bucket: str,
        endpoint: str,
        before_write: BeforeWrite = lambda: None,
        *,
        on_request: OnRequest = ignore_request,
        key_files: "KeyFiles | None" = None,
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._endpoint = endpoint
        self._before_write = before_write
        self._on_request = on_request
        self._key_files = key_files

    def guarded(self, before_write: BeforeWrite, on_request: OnRequest = ignore_request) -> "MultipartClient":
        """Return a client with the same connections that calls `before_write` and `on_request`."""
        return MultipartClient(
            self._client, self._bucket, self._endpoint, before_write, on_request=on_request, key_files=self._key_files
        )

    def create(self, path: str, metadata: Mapping[str, str]) -> str:
        """Begin an upload to `path` whose object will have this metadata; return the upload's id.

        If an answer is lost, the retry leaves an unknown upload behind; the bucket's life-cycle rule for unfinished
        uploads deletes it.
        """
        take = itemgetter("UploadId")
        return str(self._call("create_multipart_upload", path, take, Metadata=dict(metadata)))

    def upload_part(self, path: str, upload_id: str, number: int, data: bytes) -> str:
        """Upload part `number` (from 1), replacing any part of that number; return its ETag."""
        take = itemgetter("ETag")
        return str(self._call("upload_part", path, take, UploadId=upload_id, PartNumber=number, Body=data))

    def complete(self, path: str, upload_id: str, etags: Sequence[str]) -> None:
        """Make the object from the upload's parts, replacing any existing object."""
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
        self._call("complete_multipart_upload", path, UploadId=upload_id, MultipartUpload={"Parts": parts})

    def abort(self, path: str, upload_id: str) -> None:
        """Abort the upload and delete its parts."""
        self._call("abort_multipart_upload", path, UploadId=upload_id)

    def check(self, path: str, upload_id: str) -> None:
        """Make sure that the store still has the upload."""
        self._call("list_parts", path, UploadId=upload_id, MaxParts=1)

    def read_metadata(self, path: str) -> Mapping[str, str] | None:
        """Return the metadata of the object at `path`; None if there is none."""
        try:
            metadata: Mapping[str, str] = self._call("head_object", path, itemgetter("Metadata"))
        except ObjectNotFoundError:
            return None
        return metadata

    def list_page(
        self, prefix: str, *, delimiter: str = "", after: str = "", token: str | None = None, max_keys: int = 1000
    ) -> "ListedPage":
        """Return one page of the objects whose key starts with `prefix`; keys may have any form that S3 allows."""
        arguments: dict[str, Any] = {"Prefix": prefix, "MaxKeys": max_keys}
        more = {"Delimiter": delimiter, "StartAfter": after, "ContinuationToken": token}
        arguments.update({name: value for name, value in more.items() if value})
        page: ListedPage = self._call("list_objects_v2", prefix, as_page, **arguments)
        return page

    def head(self, path: str) -> "ListedObject":
        """Return the object's entry. Raises ObjectNotFoundError."""
        found: ListedObject = self._call(
            "head_object", path, lambda answer: as_listed(path, answer, answer["ContentLength"])
        )
        return found

    def read(
        self, path: str, *, etag: str | None, start: int = 0, end: int | None = None, most_bytes: int | None = None
    ) -> bytes:
        """Return the object's bytes, of version `etag` if given, at most `most_bytes` + 1 of them.

        Raises as `ObjectStore.get_range` does.
        """
        arguments: dict[str, str] = {}
        if etag is not None:
            arguments["IfMatch"] = etag
        if end is not None:
            arguments["Range"] = f"bytes={start}-{end - 1}"
        data: bytes = self._call("get_object", path, partial(read_body, most_bytes=most_bytes), **arguments)
        return data

    def _call(
        self, operation: str, path: str, take: Callable[[Any], Any] = lambda answer: answer, **arguments: object
    ) -> Any:  # noqa: ANN401 - botocore answers dicts
        """Return `take(answer)`; it is part of the request, because a body may break off."""
        if operation != "list_objects_v2":
            arguments["Key"] = path
        request = partial(getattr(self._client, operation), Bucket=self._bucket, **arguments)
        place = Place(
            verb=operation.replace("_", " "),
            uri=f"s3://{self._bucket}/{path}",
            endpoint=self._endpoint,
            on_request=self._on_request,
            key_files=self._key_files,
        )
        if operation not in READS:
            place = replace(place, before_try=self._before_write)
        return with_retries(lambda: translated(lambda: take(request()), place), place)


class ListedPage(TypedDict):
    """A page of a listing; `token` requests the next, if there is one."""

    entries: "list[ListedObject]"
    token: str | None


def as_page(answer: Mapping[str, Any]) -> ListedPage:
    """Return a page of a listing."""
    entries = [as_listed(found["Key"], found, found["Size"]) for found in answer.get("Contents", ())]
    return {"entries": entries, "token": answer.get("NextContinuationToken")}


def as_listed(path: str, answer: Mapping[str, Any], size: int) -> "ListedObject":
    """Return an entry in obstore's form."""
    return {
        "path": path,
        "size": size,
        "e_tag": answer.get("ETag"),
        "last_modified": answer["LastModified"],
        "version": None,
    }


def read_body(answer: Mapping[str, Any], most_bytes: int | None = None) -> bytes:
    """Return the whole body, or one byte more than `most_bytes` of it."""
    with answer["Body"] as body:
        data: bytes = body.read() if most_bytes is None else body.read(most_bytes + 1)
    return data


def translated(call: Callable[[], Any], place: Place) -> Any:  # noqa: ANN401 - botocore answers dicts
    """Return `call()`; its errors become those that `store_errors` knows."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - slow to import; see above
    from botocore.parsers import ResponseParserError  # noqa: PLC0415 - likewise

    try:
        return call()
    except ClientError as error:
        code, status = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
        if code in LOST_UPLOADS:
            raise UploadLostError(f"{place.uri}: the store no longer has the upload") from error
        raise AnswerError(str(error), code=code, status=status) from error
    except (KeyError, TypeError, ResponseParserError) as error:
        raise StorageDeniedError(f"{place.uri}: {NOT_S3}") from error
    except BotoCoreError as error:
        raise OSError(str(error)) from error


def connect_multipart(bucket: str, access: "Access") -> MultipartClient:
    """Build a client with the same access as obstore's: `~/.aws` is not read, requests are path-style and signed.

    Here a CA's certificate replaces the system's; it is not added to them.
    """
    from botocore.config import Config  # noqa: PLC0415
    from botocore.session import Session  # noqa: PLC0415

    session = Session()
    for variable in ("config_file", "credentials_file"):
        session.set_config_variable(variable, os.devnull)
    if access.key_files is not None:
        credentials = refreshed_from(access.key_files)
        session.register_component("credential_provider", SimpleNamespace(load_credentials=lambda: credentials))
    access_key, secret_key, session_token = (None if access.key_files else access.keys) or (None, None, None)
    client = session.create_client(
        "s3",
        region_name=access.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION", "us-east-1"),
        endpoint_url=access.endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        aws_session_token=session_token,
        verify=access.ca_file,
        config=Config(
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=REQUEST_TIMEOUT_SECONDS,
            max_pool_connections=CONNECTIONS,
            retries={"total_max_attempts": 1, "mode": "standard"},
            s3={"addressing_style": "path", "payload_signing_enabled": access.is_plain_http},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
    client.meta.events.register("before-send.s3", write_headers_as_text)
    client.meta.events.register("before-parse.s3", raise_redirect)
    return MultipartClient(client, bucket, access.endpoint or "AWS", key_files=access.key_files)


def refreshed_from(files: "KeyFiles") -> Any:  # noqa: ANN401 - untyped package
    """Return botocore's credentials, read again for each request."""
    from botocore.credentials import RefreshableCredentials  # noqa: PLC0415 - slow to import; see above

    return RefreshableCredentials.create_from_metadata(
        as_metadata(files.read()), refresh_using=lambda: as_metadata(files.read()), method="podreduce"
    )


def as_metadata(keys: "Keys") -> dict[str, str | None]:
    """Return keys in botocore's form."""
    access_key, secret_key, session_token = keys
    expiry = datetime.now(UTC) + timedelta(seconds=EXPIRE_SECONDS)
    return {
        "access_key": access_key,
        "secret_key": secret_key,
        "token": session_token,
        "expiry_time": expiry.isoformat(),
    }
