"""As much of S3 as reading and deleting take, and any answer that a test wants.

Its keys may be any text: MinIO refuses many of them, since they are no file names.
"""

import re
import ssl
import threading
from bisect import bisect_right
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import unescape

from obstore.store import S3Store

from podreduce.contract.environment import StorageSettings
from podreduce.storage import ObjectStore, open_store
from podreduce.storage.connect import Access
from podreduce.storage.multipart import MultipartClient, connect_multipart

__all__ = ["FakeS3", "fake_s3"]

ERROR = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>as told</Message></Error>'
MODIFIED = {"Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}


@dataclass
class FakeS3:
    """Serves `objects`, in listings of `page_keys` a page; once a test calls `answer`, it answers that to everything.

    Attributes:
        requests: how many it has been asked.
        listed: how many keys it has named in listings.
        deleted: the keys that it was told to delete, in their order.
        most_ahead: how many more keys were listed than deleted, at most.
        location: where it redirects, with the path that was asked for, if it answers with a redirect.
        takes: the only access key that it takes, if set; others are refused with the code `refusal`.
        refused: called at each refusal.
        hidden: the objects that may be listed and not be read.
    """

    port: int
    objects: dict[str, bytes] = field(default_factory=dict)
    page_keys: int = 2
    told: tuple[int, str] | None = None
    location: str = ""
    requests: int = 0
    listed: int = 0
    deleted: list[str] = field(default_factory=list)
    most_ahead: int = 0
    takes: str = ""
    refusal: str = "ExpiredToken"
    refused: Callable[[], None] = lambda: None
    hidden: Container[str] = ()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self, prefix: str = "") -> ObjectStore:
        settings = StorageSettings(endpoint=self.endpoint, region="us-east-1", access_key="key", secret_key="hush")  # noqa: S106
        return open_store(f"s3://bucket/{prefix}", settings)

    def open_unretried(self) -> ObjectStore:
        """A store that asks once: no retries, neither obstore's nor ours."""
        client = S3Store(
            config={
                "bucket": "b",
                "endpoint": self.endpoint,
                "region": "us-east-1",
                "access_key_id": "key",
                "secret_access_key": "hush",
            },
            client_options={"allow_http": True},
            retry_config={
                "max_retries": 0,
                "retry_timeout": timedelta(seconds=1),
                "backoff": {
                    "init_backoff": timedelta(milliseconds=1),
                    "max_backoff": timedelta(milliseconds=1),
                    "base": 2,
                },
            },
        )
        return ObjectStore(
            uri="s3://b/",
            prefix="",
            store=client,
            connect_for_copies=lambda: client,
            connect_for_checksummed=lambda: client,
        )

    def open_uploads(self) -> MultipartClient:
        access = Access(
            endpoint=self.endpoint,
            region="us-east-1",
            keys=("key", "hush", None),
            ca_certificate=None,
            ca_file=None,
        )
        return connect_multipart("b", access)

    def answer(self, status: int, code: str) -> None:
        """Answer every request with this error."""
        self.told = status, ERROR.format(code=code) if code else ""

    def answer_with(self, body: str) -> None:
        """Answer every request with this success."""
        self.told = 200, body

    def list(self, query: Mapping[str, str]) -> str:
        """A page of a listing, as ListObjectsV2 has it."""
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after = unquote(query.get("continuation-token", "")) or query.get("start-after", "")
        shown: dict[str, str] = {}
        keys = sorted(self.objects, key=str.encode)
        for key in islice(keys, bisect_right(keys, after.encode(), key=str.encode), None):
            if not key.startswith(prefix):
                continue
            head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
            name = prefix + head + delimiter if found else key
            shown.setdefault(name, self.show_prefix(name, query) if found else self.show(key, query))
            if len(shown) > self.page_keys:
                break
        page = list(islice(shown.items(), min(self.page_keys, int(query.get("max-keys", "1000")))))
        is_cut = len(page) < len(shown)
        self.listed += len(page)
        self.most_ahead = max(self.most_ahead, self.listed - len(self.deleted))
        token = (
            f"<NextContinuationToken>{quote(self.last_of(page[-1][0], query))}</NextContinuationToken>"
            if is_cut
            else ""
        )
        entries = "".join(text for _, text in page)
        kind = "<EncodingType>url</EncodingType>" if "encoding-type" in query else ""
        cut = f"<IsTruncated>{str(is_cut).lower()}</IsTruncated>"
        return f"<ListBucketResult><Name>bucket</Name>{kind}{cut}{token}{entries}</ListBucketResult>"

    def delete(self, keys: Iterable[str]) -> None:
        """Delete these objects."""
        for key in keys:
            self.objects.pop(key, None)
            self.deleted.append(key)

    def last_of(self, name: str, query: Mapping[str, str]) -> str:
        """The last key that an entry stands for: a common prefix stands for all below."""
        is_prefix = query.get("delimiter") and name.endswith("/") and name != query.get("prefix", "")
        return max(key for key in self.objects if key.startswith(name)) if is_prefix else name

    def show(self, key: str, query: Mapping[str, str]) -> str:
        size, etag = len(self.objects[key]), f'"{len(key)}"'
        stamp = f"<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>{etag}</ETag>"
        return f"<Contents><Key>{show_key(key, query)}</Key>{stamp}<Size>{size}</Size></Contents>"

    def show_prefix(self, name: str, query: Mapping[str, str]) -> str:
        return f"<CommonPrefixes><Prefix>{show_key(name, query)}</Prefix></CommonPrefixes>"


def show_key(key: str, query: Mapping[str, str]) -> str:
    if "encoding-type" in query:
        return quote(key)
    replaced = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}
    return "".join(replaced.get(each, each) for each in key)


class Handler(BaseHTTPRequestHandler):
    """Answers for `store`."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    store: FakeS3
    body: bytes

    def log_message(self, *_: object) -> None:
        pass

    def handle_expect_100(self) -> bool:
        self.send_response_only(100)
        self.end_headers()
        self.wfile.flush()
        return True

    def answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def do_GET(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.store.requests += 1
        if self.store.takes and f"Credential={self.store.takes}/" not in self.headers["Authorization"]:
            self.store.refused()
            self.answer(403, ERROR.format(code=self.store.refusal).encode())
        elif self.store.told is None:
            self.serve()
        else:
            status, body = self.store.told
            location = {"Location": self.store.location + self.path} if self.store.location else {}
            self.answer(status, body.encode(), location)

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - as http.server has it

    def serve(self) -> None:
        url = urlsplit(self.path)
        key = unquote(url.path[1:].partition("/")[2])
        if not key and self.command == "POST":
            named = re.findall("<Key>(.*?)</Key>", self.body.decode())
            self.store.delete(map(unescape, named))
            told = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in named)
            self.answer(200, f"<DeleteResult>{told}</DeleteResult>".encode(), {"Content-Type": "application/xml"})
        elif not key:
            query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
            self.answer(200, self.store.list(query).encode(), {"Content-Type": "application/xml"})
        elif key not in self.store.objects:
            self.answer(404, b"<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>")
        elif key in self.store.hidden:
            self.answer(403, ERROR.format(code="AccessDenied").encode())
        elif self.headers.get("If-Match", f'"{len(key)}"') != f'"{len(key)}"':
            self.answer(412, b"<Error><Code>PreconditionFailed</Code><Message>another</Message></Error>")
        else:
            self.send_object(self.store.objects[key], f'"{len(key)}"')

    def send_object(self, data: bytes, etag: str) -> None:
        asked = self.headers.get("Range")
        if asked is None:
            self.answer(200, data, {"ETag": etag, **MODIFIED})
            return
        first, _, last = asked.removeprefix("bytes=").partition("-")
        start, end = int(first), min(int(last or len(data)) + 1, len(data))
        if start >= len(data):
            self.answer(416, b"<Error><Code>InvalidRange</Code><Message>past the end</Message></Error>")
            return
        span = {"Content-Range": f"bytes {start}-{end - 1}/{len(data)}"}
        self.answer(206, data[start:end], {"ETag": etag, **MODIFIED, **span})


@contextmanager
def fake_s3(tls: ssl.SSLContext | None = None) -> Iterator[FakeS3]:
    """Serve on 127.0.0.1, with TLS if given."""
    answering = type("Answering", (Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), answering)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    store = answering.store = FakeS3(port=server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield store
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
