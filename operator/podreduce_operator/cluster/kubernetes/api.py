"""Requests to the API server with paths, JSON objects and one error type.

Rule: besides `credentials`, the only file that imports the kubernetes package, which is untyped. The package finds and
refreshes credentials and sets up TLS. This module sends the requests itself, because the package's layers need more CPU
for a request than everything else in creating a pod.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import getproxies

import aiohttp
import msgspec
from kubernetes.aio import client

from podreduce.storage.redirects import is_direct
from podreduce_operator.cluster.kubernetes.credentials import load_credentials
from podreduce_operator.cluster.kubernetes.missing_rights import MissingRights, Right, right_of
from podreduce_operator.model.errors import OperatorError

__all__ = ["ApiError", "ApiServer", "Json", "connect", "core_path", "custom_path"]

Json = dict[str, Any]
"""A decoded object of the API."""

REQUEST_SECONDS = 30.0
CONNECT_SECONDS = 10.0
WATCH_SILENCE_SECONDS = 90.0
"""The server sends a bookmark every minute. A watch that is silent for longer has lost its connection."""

THROTTLED = HTTPStatus.TOO_MANY_REQUESTS
THROTTLED_ATTEMPTS = 4
THROTTLED_SECONDS = 1.0
MAX_THROTTLED_SECONDS = 60.0
GONE = HTTPStatus.GONE
ERRORS_FROM = 300
"""A redirect is an error too: the API server sends none, and another server must not see the credentials."""
SERVER_ERRORS_FROM = 500
MAX_CAUSES = 5
CONCURRENT_REQUESTS = 64
"""How many requests may run at once, without watches. The others wait and are not sent yet."""
BUFFER_BYTES = 2**21
"""A watch event is one line, and a pod may be large."""
APPLY = "application/apply-patch+yaml"
"""The content type of a server-side apply. JSON is YAML."""
USER_AGENT = "podreduce-operator"


class ApiError(OperatorError):
    """The API server refused a request, or could not be reached (`status` 0).

    Attributes:
        status: the HTTP status, also for an error inside a watch.
        reason: the API's reason: `AlreadyExists`, `Conflict`, `Expired`, …
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason

    @property
    def is_passing(self) -> bool:
        """Whether the same request may succeed later: the server is down, overloaded or not ready."""
        return self.status in {0, THROTTLED} or self.status >= SERVER_ERRORS_FROM

    @property
    def hides_namespace(self) -> bool:
        """Whether a namespace may not be listed, or is gone."""
        return self.status in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}

    @property
    def is_expired(self) -> bool:
        """Whether a watch or a paged list came too late to be continued."""
        return self.status == GONE or self.reason in {"Expired", "Gone"}


def core_path(resource: str, namespace: str | None = None, name: str = "", subresource: str = "") -> str:
    """Return the path of a resource of the core group, in all namespaces if none is given."""
    return join_path("/api/v1", resource, namespace, name, subresource)


def custom_path(
    api_version: str, resource: str, namespace: str | None = None, name: str = "", subresource: str = ""
) -> str:
    """Return the path of a resource of a named group."""
    return join_path(f"/apis/{api_version}", resource, namespace, name, subresource)


def join_path(root: str, resource: str, namespace: str | None, name: str, subresource: str) -> str:
    """Return the path, each part quoted."""
    place = ["namespaces", namespace] if namespace else []
    return "/".join([root, *(quote(part, safe="") for part in [*place, resource, name, subresource] if part)])


class ApiServer:
    """Requests to one API server. Every method raises ApiError and nothing else.

    Args:
        before_write: called right before each try of each write. If it raises, the write is not sent.

    Attributes:
        missing_rights: what the server refuses to this client.
        namespace: the one that goes with the credentials.
    """

    def __init__(
        self,
        configuration: Any,  # noqa: ANN401 - the kubernetes package is untyped
        session: aiohttp.ClientSession,
        before_write: Callable[[], None] = lambda: None,
        *,
        namespace: str = "",
    ) -> None:
        self._configuration = configuration
        self._session = session
        self._before_write = before_write
        self.missing_rights = MissingRights()
        self.namespace = namespace
        self._gate = asyncio.Semaphore(CONCURRENT_REQUESTS)
        self._proxy = find_proxy(configuration)
        self._on_throttled: Callable[[float], None] = lambda _: None

    def call_when_throttled(self, on_throttled: Callable[[float], None]) -> None:
        """Call `on_throttled` with the server's retry delay (seconds) whenever it answers 429."""
        self._on_throttled = on_throttled

    async def get(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = "") -> Json:
        """Return the object or list at `path`."""
        return decode_object(await self._request("GET", path, query or {}, accept=accept))

    async def read_text(self, path: str, query: Mapping[str, str]) -> str:
        """Return a text, such as a log. Bytes that are not UTF-8 are replaced."""
        return (await self._request("GET", path, query)).decode(errors="replace")

    async def create(self, path: str, body: Json, query: Mapping[str, str] | None = None) -> Json:
        """Create an object in the collection at `path` and return it as created."""
        return decode_object(await self._request("POST", path, query or {}, body))

    async def replace(self, path: str, body: Json) -> Json:
        """Replace the object at `path` and return it as it is now."""
        return decode_object(await self._request("PUT", path, {}, body))

    async def patch(self, path: str, body: Json) -> Json:
        """Merge `body` (a JSON merge patch) into the object at `path` and return it as it is now."""
        return decode_object(await self._request("PATCH", path, {}, body))

    async def apply(self, path: str, body: Json, manager: str) -> Json:
        """Apply `body` on the server's side as `manager`, which then owns its fields, and return the object."""
        query = {"fieldManager": manager, "force": "true"}
        return decode_object(await self._request("PATCH", path, query, body, content=APPLY))

    async def delete(self, path: str, body: Json) -> Json:
        """Delete the object at `path` and return the server's answer."""
        return decode_object(await self._request("DELETE", path, {}, body))

    async def watch(self, path: str, query: Mapping[str, str]) -> AsyncIterator[Json]:
        """Yield the events of a watch until the server ends it; an event of type ERROR is raised."""
        limits = aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS, sock_read=WATCH_SILENCE_SECONDS)
        with translated_errors(path):
            response = await self._send("GET", path, {**query, "watch": "true"}, limits=limits)
            async with response:
                self._judge(
                    right_of("GET", path, watches=True),
                    response.status,
                    await response.read() if response.status >= ERRORS_FROM else b"",
                    path,
                )
                async for line in response.content:
                    yield read_event(line)

    @property
    def server(self) -> str:
        """The API server's address."""
        return str(self._configuration.host).rstrip("/")

    async def open_session(self) -> aiohttp.ClientSession:
        """Open a session for another client, with the same TLS settings and proxy, and the current credentials."""
        connector = aiohttp.TCPConnector(limit=0, ssl=tls_of(self._configuration))
        return aiohttp.ClientSession(
            connector=connector,
            headers=await self._authorize(),
            proxy=self._proxy,
            middlewares=(self._keep_to_server,),
        )

    async def _keep_to_server(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Expect the certificate of `tls-server-name`, and no redirect. A session has no settings for these."""
        request.server_hostname = self._configuration.tls_server_name or request.server_hostname
        response = await handler(request)
        if ERRORS_FROM <= response.status < HTTPStatus.BAD_REQUEST:
            response.close()
            raise aiohttp.ClientError(f"{request.url}: the API server redirects, which is not followed")
        return response

    async def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Json | None = None,
        *,
        accept: str = "",
        content: str = "",
    ) -> bytes:
        for attempt in range(1, THROTTLED_ATTEMPTS + 1):
            answer = await self._try(method, path, query, body, accept=accept, content=content)
            if answer.status == THROTTLED:
                self._on_throttled(answer.retry_seconds)
            if answer.status != THROTTLED or attempt == THROTTLED_ATTEMPTS:
                break
            await asyncio.sleep(answer.retry_seconds)
        self._judge(right_of(method, path), answer.status, answer.data, path)
        return answer.data

    def _judge(self, right: Right | None, status: int, data: bytes, path: str) -> None:
        """Raise the error in an answer, if it is one. Keep in mind which rights are missing."""
        error = refusal(status, data, path) if status >= ERRORS_FROM else None
        self.missing_rights.note(right, status, str(error or ""))
        if error is not None:
            raise error

    async def _try(
        self, method: str, path: str, query: Mapping[str, str], body: Json | None, *, accept: str, content: str
    ) -> "Answer":
        limits = aiohttp.ClientTimeout(total=REQUEST_SECONDS, sock_connect=CONNECT_SECONDS)
        async with self._gate:
            with translated_errors(path):
                response = await self._send(method, path, query, body, accept=accept, content=content, limits=limits)
                async with response:
                    return Answer(response.status, await response.read(), read_retry_after(response))

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Json | None = None,
        *,
        limits: aiohttp.ClientTimeout,
        accept: str = "",
        content: str = "",
    ) -> aiohttp.ClientResponse:
        content = content or ("application/merge-patch+json" if method == "PATCH" else "application/json")
        headers = {"Accept": accept or "application/json", "Content-Type": content, **await self._authorize()}
        if method != "GET":
            self._before_write()
        return await self._session.request(
            method,
            f"{self.server}{path}",
            params=query,
            data=None if body is None else msgspec.json.encode(body),
            allow_redirects=False,
            headers=headers,
            timeout=limits,
            proxy=self._proxy,
            proxy_headers=self._configuration.proxy_headers,
            server_hostname=self._configuration.tls_server_name or None,
        )

    async def _authorize(self) -> dict[str, str]:
        """Return the header with the current credentials, if they belong in a header."""
        header = await self._configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        return {"Authorization": header} if header else {}


@dataclass(frozen=True, slots=True)
class Answer:
    """The server's answer. `retry_seconds` is the delay that it asks for."""

    status: int
    data: bytes
    retry_seconds: float


def read_retry_after(response: aiohttp.ClientResponse) -> float:
    """Return the delay in Retry-After, in seconds, at most `MAX_THROTTLED_SECONDS`.

    A date, which is rare, and what is no time give the default delay.
    """
    try:
        seconds = float(response.headers.get("Retry-After") or THROTTLED_SECONDS)
    except ValueError:
        return THROTTLED_SECONDS
    return min(seconds, MAX_THROTTLED_SECONDS) if seconds >= 0 else THROTTLED_SECONDS


def find_proxy(configuration: Any) -> str | None:  # noqa: ANN401 - the kubernetes package is untyped
    """Return the proxy for the API server, from the KUBECONFIG or from the environment; None without one."""
    server = urlsplit(str(configuration.host))
    if configuration.proxy:
        return str(configuration.proxy)
    return None if is_direct(server.hostname or "") else getproxies().get(server.scheme)


def tls_of(configuration: Any) -> Any:  # noqa: ANN401 - the kubernetes package is untyped
    """Return the TLS context that the configuration describes."""
    return client.rest.RESTClientObject(configuration).ssl_context


@asynccontextmanager
async def connect(
    kubeconfig: Path | None = None,
    *,
    context: str | None = None,
    user_agent: str = USER_AGENT,
    before_write: Callable[[], None] = lambda: None,
) -> AsyncIterator[ApiServer]:
    """Open a client with the credentials that `load_credentials` finds.

    `context` is of the KUBECONFIG; None: the current one.

    Raises:
        OperatorError: there are no credentials.
    """
    configuration = client.Configuration()
    configuration.client_side_validation = False
    # Python 3.13 refuses CA certificates without RFC 5280's extensions. Many clusters have them; kubectl accepts them.
    configuration.disable_strict_ssl_verification = True
    namespace = await load_credentials(configuration, kubeconfig, context)
    connector = aiohttp.TCPConnector(limit=0, ssl=tls_of(configuration))
    headers = {"User-Agent": user_agent}
    async with aiohttp.ClientSession(connector=connector, headers=headers, read_bufsize=BUFFER_BYTES) as session:
        yield ApiServer(configuration, session, before_write, namespace=namespace)


class translated_errors:  # noqa: N801 - reads as a statement
    """Turns errors of the transport into ApiError with status 0."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Start."""

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        """Translate."""
        if isinstance(error, aiohttp.ClientError | TimeoutError | OSError):
            words = str(error) or type(error).__name__
            raise ApiError(0, "Unreachable", f"the API server did not answer {self._path}: {words}") from error


def decode_object(data: bytes) -> Json:
    """Decode an answer that should be an object."""
    try:
        return msgspec.json.decode(data, type=Json)
    except msgspec.DecodeError as error:
        raise ApiError(0, "Garbled", f"the API server's answer is not a JSON object: {error}") from error


def read_event(line: bytes) -> Json:
    """Decode a watch event. An event of type ERROR is raised."""
    event = decode_object(line)
    if event.get("type") == "ERROR":
        status = event.get("object") or {}
        raise ApiError(int(status.get("code") or 0), status.get("reason") or "", status.get("message") or "")
    return event


def refusal(status: int, data: bytes, path: str) -> ApiError:
    """Return the error in an answer. A proxy's answer may not be a Status object."""
    try:
        answer = msgspec.json.decode(data, type=Json)
    except msgspec.DecodeError:
        answer = {}
    words = answer.get("message") or data[:200].decode(errors="replace") or "no message"
    return ApiError(status, answer.get("reason") or "", f"{words}{explain_causes(answer)} ({path})")


def explain_causes(answer: Json) -> str:
    """Return the causes that are not in the message. With several causes, the message leaves some out."""
    causes = (answer.get("details") or {}).get("causes") or []
    texts = [f"{cause.get('field', '')}: {cause.get('message', '')}" for cause in causes[:MAX_CAUSES]]
    said = answer.get("message") or ""
    return "".join(f"; {text}" for text in texts if text.partition(": ")[2] not in said)
