"""As much of S3 as reading takes, over keys of any text. MinIO refuses many of them, since they are no file names."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from urllib.parse import parse_qs, quote, unquote, urlsplit

from podreduce.contract.environment import StorageSettings
from podreduce.storage import ObjectStore, open_store

__all__ = ["KeyStore", "key_store"]

MODIFIED = {"Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}


@dataclass
class KeyStore:
    """Set `objects`: each is its key's own text, unless it says otherwise. A page of a listing has `page_keys`."""

    port: int
    objects: Mapping[str, bytes] = field(default_factory=dict)
    page_keys: int = 2

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def open(self, prefix: str = "") -> ObjectStore:
        settings = StorageSettings(endpoint=self.endpoint, region="us-east-1", access_key="key", secret_key="hush")  # noqa: S106
        return open_store(f"s3://bucket/{prefix}", settings)

    def list(self, query: Mapping[str, str]) -> str:
        """A page of a listing, as ListObjectsV2 has it."""
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after = unquote(query.get("continuation-token", "")) or query.get("start-after", "")
        shown: dict[str, str] = {}
        for key in sorted(self.objects, key=str.encode):
            if not key.startswith(prefix) or key <= after:
                continue
            head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
            name = prefix + head + delimiter if found else key
            shown.setdefault(name, self.show_prefix(name, query) if found else self.show(key, query))
        page = list(islice(shown.items(), min(self.page_keys, int(query.get("max-keys", "1000")))))
        is_cut = len(page) < len(shown)
        token = (
            f"<NextContinuationToken>{quote(self.last_of(page[-1][0], query))}</NextContinuationToken>"
            if is_cut
            else ""
        )
        entries = "".join(text for _, text in page)
        kind = "<EncodingType>url</EncodingType>" if "encoding-type" in query else ""
        cut = f"<IsTruncated>{str(is_cut).lower()}</IsTruncated>"
        return f"<ListBucketResult><Name>bucket</Name>{kind}{cut}{token}{entries}</ListBucketResult>"

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
    store: KeyStore

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        key = unquote(url.path[1:].partition("/")[2])
        if not key:
            query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
            self.answer(200, self.store.list(query).encode(), {"Content-Type": "application/xml"})
        elif key not in self.store.objects:
            self.answer(404, b"<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>")
        elif self.headers.get("If-Match", f'"{len(key)}"') != f'"{len(key)}"':
            self.answer(412, b"<Error><Code>PreconditionFailed</Code><Message>another</Message></Error>")
        else:
            self.send_object(self.store.objects[key], f'"{len(key)}"')

    do_HEAD = do_GET  # noqa: N815 - as http.server has it

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
def key_store() -> Iterator[KeyStore]:
    """Serve on 127.0.0.1."""
    answering = type("Answering", (Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), answering)
    store = answering.store = KeyStore(port=server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield store
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
