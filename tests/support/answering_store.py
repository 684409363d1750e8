"""An HTTP server that answers every request of an S3 client with one error, and the real clients that ask it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from obstore.store import S3Store

from podreduce.storage import ObjectStore
from podreduce.storage.connect import Access
from podreduce.storage.multipart import MultipartClient, connect_multipart

__all__ = ["AnsweringStore", "answering_store"]

ERROR = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>as told</Message></Error>'


@dataclass
class AnsweringStore:
    """Set `status` and `code` to what every request is answered with; `requests` counts them."""

    port: int
    status: int = 200
    code: str = ""
    body: str = ""
    requests: int = 0

    def answer(self, status: int, code: str) -> None:
        self.status, self.code, self.body = status, code, ERROR.format(code=code) if code else ""

    def open(self) -> ObjectStore:
        """A store that asks once: no retries, neither obstore's nor ours."""
        client = S3Store(
            config={
                "bucket": "b",
                "endpoint": f"http://127.0.0.1:{self.port}",
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
            endpoint=f"http://127.0.0.1:{self.port}",
            region="us-east-1",
            keys=("key", "hush", None),
            ca_certificate=None,
            ca_file=None,
        )
        return connect_multipart("b", access)


@contextmanager
def answering_store() -> Iterator[AnsweringStore]:
    """Serve on 127.0.0.1."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def log_message(self, *_: object) -> None:
            pass

        def handle_expect_100(self) -> bool:
            self.send_response_only(100)
            self.end_headers()
            self.wfile.flush()
            return True

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            store.requests += 1
            data = store.body.encode()
            self.send_response(store.status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)
            self.wfile.flush()

        do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - as http.server has it

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    store = AnsweringStore(port=server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield store
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
