"""What the codes of S3, MinIO and Google's S3 door mean, as the clients that podreduce uses tell of them.

The codes and statuses are those of "Error responses" in the Amazon S3 API reference, of MinIO's cmd/api-errors.go and
of "HTTP status and error codes for XML" of Google Cloud Storage, as far as reading and writing objects can meet them.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping

import pytest
from obstore import exceptions

from podreduce.contract.errors import (
    BucketNotFoundError,
    InputError,
    ObjectChangedError,
    ObjectNotFoundError,
    PodreduceError,
    StorageDeniedError,
    StorageUnavailableError,
    UploadLostError,
)
from podreduce.storage import ObjectStore, probe_conditional_create
from podreduce.storage.multipart import MultipartClient
from podreduce.storage.place import Place
from podreduce.storage.retries import with_retries
from podreduce.storage.store_codes import MEANINGS
from podreduce.storage.store_errors import BAD_NAMES, OUTAGES, REFUSALS, AnswerError, translate
from tests.support.fake_s3 import FakeS3, fake_s3

Kind = type[PodreduceError]

CODES: Mapping[Kind, str] = {
    StorageUnavailableError: """
        400 RequestTimeout IncompleteBody BadDigest InvalidPart XAmzContentSHA256Mismatch XAmzContentChecksumMismatch
        400 Throttling ThrottlingException ThrottledException RequestThrottledException TooManyRequestsException
        400 CrcMismatch RequestExpired RequestTimeoutException PriorRequestNotComplete
        403 RequestTimeTooSkewed RequestThrottled
        408 RequestTimeout
        409 OperationAborted ConditionalRequestConflict
        429 TooManyRequests RateLimitExceeded NobodyKnowsThisOne
        499 ClientDisconnected
        500 InternalError InternalFailure NobodyKnowsThisOne
        502 BackendError NobodyKnowsThisOne
        503 SlowDown SlowDownRead SlowDownWrite ServerBusy ServiceUnavailable ServiceUnavailableException
        503 RequestLimitExceeded XMinioServerNotInitialized XMinioReadQuorum XMinioWriteQuorum XMinioBackendDown
        504 NobodyKnowsThisOne
        507 XMinioStorageFull
        509 BandwidthLimitExceeded
        """,
    BucketNotFoundError: "404 NoSuchBucket",
    StorageDeniedError: """
        400 AccessControlListNotSupported AmbiguousGrantByEmailAddress AuthorizationHeaderMalformed
        400 AuthorizationQueryParametersError BucketHasAccessPointsAttached CredentialsNotSupported
        400 DeviceNotActiveError EndpointNotFound EntityTooLarge EntityTooSmall ExpiredToken
        400 IllegalLocationConstraintException IllegalVersioningConfigurationException IncorrectEndpoint
        400 IncorrectNumberOfFilesInPostRequest InlineDataTooLarge InvalidAccessPoint InvalidAddressingHeader
        400 InvalidArgument InvalidBucketName InvalidDigest InvalidEncryptionAlgorithmError InvalidHostHeader
        400 InvalidHttpMethod InvalidLocationConstraint InvalidPartOrder InvalidPolicyDocument InvalidRequest
        400 InvalidSessionException InvalidSignature InvalidStorageClass InvalidTag InvalidTargetBucketForLogging
        400 InvalidToken KeyTooLongError KMS.DisabledException KMS.InvalidKeyUsageException KMS.NotFoundException
        400 KMS.KMSInvalidStateException MalformedACLError MalformedPOSTRequest MalformedXML MaxMessageLengthExceeded
        400 MetadataTooLarge MissingRequestBodyError MissingSecurityElement MissingSecurityHeader
        400 NoLoggingStatusForKey NotDeviceOwnerError RequestHeaderSectionTooLarge TokenCodeInvalidError
        400 TokenRefreshRequired TooManyBuckets UnexpectedContent UnsupportedArgument UnsupportedSignature
        400 UserKeyMustBeSpecified ExpiredTokenException KeyTooLong UserProjectMissing
        400 XMinioAdminBucketQuotaExceeded NobodyKnowsThisOne
        401 NobodyKnowsThisOne
        403 AccessDenied AccessDeniedException AccountProblem AllAccessDisabled CrossLocationLoggingProhibited
        403 InvalidAccessKeyId InvalidObjectState InvalidPayer InvalidRegion InvalidSecurity NotSignedUp
        403 MissingAuthenticationToken SignatureDoesNotMatch UnauthorizedAccessError UserSuspended QuotaExceeded
        403 NobodyKnowsThisOne
        405 MethodNotAllowed
        411 MissingContentLength
        422 UnprocessableEntity
        501 NotImplemented NobodyKnowsThisOne
        """,
    ObjectChangedError: "412 PreconditionFailed NobodyKnowsThisOne 416 InvalidRange NobodyKnowsThisOne",
    ObjectNotFoundError: "404 NoSuchKey NoSuchVersion NobodyKnowsThisOne",
    InputError: "400 InvalidURI InvalidObjectName XMinioInvalidObjectName",
}
REDIRECTS = {StorageDeniedError: "301 PermanentRedirect", StorageUnavailableError: "307 TemporaryRedirect Redirect"}

OBJECT_CALLS: Mapping[str, Callable[[ObjectStore], object]] = {
    "get": lambda store: store.get("k"),
    "get with a version": lambda store: store.get("k", etag="e"),
    "get_async": lambda store: asyncio.run(store.get_async("k")),
    "get_range": lambda store: store.get_range("k", 0, 1),
    "put": lambda store: store.put("k", b"x"),
    "put_async": lambda store: asyncio.run(store.put_async("k", b"x")),
    "copy": lambda store: store.copy("a", "k"),
    "delete": lambda store: store.delete("k"),
    "list": lambda store: list(store.list()),
    "list one level": lambda store: list(store.list(recursive=False)),
}
UPLOAD_CALLS: Mapping[str, Callable[[MultipartClient], object]] = {
    "create": lambda client: client.create("k", {}),
    "upload_part": lambda client: client.upload_part("k", "1", 1, b"x"),
    "complete": lambda client: client.complete("k", "1", ["e"]),
    "abort": lambda client: client.abort("k", "1"),
    "check": lambda client: client.check("k", "1"),
}


@pytest.fixture(scope="module")
def answering() -> Iterator[FakeS3]:
    with fake_s3() as store:
        yield store


def pairs(table: Mapping[Kind, str]) -> Iterator[tuple[Kind, int, str]]:
    for kind, text in table.items():
        status = 0
        for word in text.split():
            if word.isdigit():
                status = int(word)
            else:
                yield kind, status, word


def outcome(call: Callable[[], object]) -> object:
    try:
        return call()
    except PodreduceError as error:
        return type(error)


@pytest.mark.parametrize("call", OBJECT_CALLS.values(), ids=OBJECT_CALLS)
def test_every_code_means_the_same_to_whatever_asks_for_an_object(
    answering: FakeS3, call: Callable[[ObjectStore], object]
) -> None:
    store, wrong = answering.open_unretried(), []
    for kind, status, code in pairs(CODES):
        answering.answer(status, code)
        found = outcome(lambda: call(store))
        is_done = kind is ObjectNotFoundError and call is OBJECT_CALLS["delete"]
        if found is not (None if is_done else kind):
            wrong.append((status, code, found))
    assert wrong == []


@pytest.mark.parametrize("call", UPLOAD_CALLS.values(), ids=UPLOAD_CALLS)
def test_every_code_means_the_same_to_whatever_asks_for_an_upload(
    answering: FakeS3, call: Callable[[MultipartClient], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("podreduce.storage.retries.RETRY_SECONDS", 0.0)
    client, wrong = answering.open_uploads(), []
    for kind, status, code in [*pairs(CODES), (UploadLostError, 404, "NoSuchUpload")]:
        answering.answer(status, code)
        found = outcome(lambda: call(client))
        if found is not (UploadLostError if code == "InvalidPart" else kind):
            wrong.append((status, code, found))
    assert wrong == []


def test_every_code_that_has_a_meaning_of_its_own_is_in_the_table() -> None:
    assert set(MEANINGS) <= {code for _, _, code in [*pairs(CODES), *pairs(REDIRECTS)]}


def test_redirects_that_a_client_does_not_follow_are_told_apart_by_their_codes() -> None:
    place = Place(verb="read", uri="s3://b/k", endpoint=None)
    for kind, status, code in pairs(REDIRECTS):
        assert type(translate(AnswerError("as told", code=code, status=status), place)) is kind


@pytest.mark.parametrize("status", [301, 307])
def test_a_redirect_that_leads_nowhere_is_a_wrong_region(answering: FakeS3, status: int) -> None:
    answering.answer(status, "PermanentRedirect")
    with pytest.raises(StorageDeniedError, match="correct region"):
        answering.open_unretried().get("k")


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (412, "PreconditionFailed", False),
        (409, "ObjectAlreadyExists", False),
        (409, "ConditionalRequestConflict", StorageUnavailableError),
        (409, "OperationAborted", StorageUnavailableError),
        (404, "NoSuchBucket", BucketNotFoundError),
        (501, "NotImplemented", StorageDeniedError),
    ],
)
def test_a_conditional_create_says_no_only_where_there_is_an_object(
    answering: FakeS3, status: int, code: str, expected: object
) -> None:
    answering.answer(status, code)
    store = answering.open_unretried()
    assert outcome(lambda: store.create("k", b"x")) is expected
    assert outcome(lambda: asyncio.run(store.create_async("k", b"x"))) is expected


@pytest.mark.parametrize("status", [501, 403])
def test_the_probe_says_at_once_what_a_store_refuses(answering: FakeS3, status: int) -> None:
    answering.answer(status, "NobodyKnowsThisOne")
    before, started = answering.requests, time.monotonic()
    with pytest.raises(StorageDeniedError, match="cannot create it"):
        asyncio.run(probe_conditional_create(answering.open("x/")))
    assert answering.requests == before + 2
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("deleted", ["", "<Deleted><Key>a</Key></Deleted>"], ids=["all fail", "one of two fails"])
@pytest.mark.parametrize(
    ("code", "expected"), [("SlowDown", StorageUnavailableError), ("AccessDenied", StorageDeniedError)]
)
def test_a_delete_fails_as_its_first_object_does(answering: FakeS3, deleted: str, code: str, expected: Kind) -> None:
    error = f"<Error><Key>k</Key><Code>{code}</Code><Message>as told</Message></Error>"
    for body in (f"{deleted}{error}", f"{error}{deleted}"):
        answering.answer_with(f'<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{body}</DeleteResult>')
        assert outcome(lambda: answering.open_unretried().delete("a", "k")) is expected


def test_what_a_store_refuses_in_passing_is_asked_for_again(answering: FakeS3) -> None:
    answering.answer(400, "RequestTimeout")
    store = answering.open_unretried()
    place = Place(verb="write", uri="s3://b/k", endpoint="http://minio:9000")
    before = answering.requests

    def give_way() -> None:
        if answering.requests == before + 2:
            answering.answer(404, "NoSuchKey")

    with pytest.raises(ObjectNotFoundError):
        with_retries(lambda: (give_way(), store.store and ask(store))[-1], place)
    assert answering.requests == before + 3


def ask(store: ObjectStore) -> None:
    import obstore  # noqa: PLC0415 - what `with_retries` is given elsewhere

    obstore.get(store.store, "k")


@pytest.mark.parametrize("sign", [*REFUSALS, *OUTAGES, *BAD_NAMES, *MEANINGS])
@pytest.mark.parametrize("template", ["s3://b/{}/part", "file:///data/{}", "s3://b/<Code>{}</Code>"])
def test_no_name_of_an_object_changes_what_its_error_means(sign: str, template: str) -> None:
    uri = template.format(sign)
    key = uri.partition("://")[2].partition("/")[2]
    place = Place(verb="read", uri=uri, endpoint=None)
    for error, kind in (
        (FileNotFoundError(f"Object at location {key} not found: os error 2"), ObjectNotFoundError),
        (exceptions.GenericError(f"Generic S3 error: http://minio/b/{key}: broken pipe"), StorageUnavailableError),
    ):
        assert type(translate(error, place)) is kind


MARKER = "hunter2"
BODIES = {
    "text": f"{MARKER} is the password",
    "json": f'{{"password": "{MARKER}"}}',
    "message": f"<Error><Code>AccessDenied</Code><Message>{MARKER}</Message></Error>",
    "code": f"<Error><Code>{MARKER}</Code></Error>",
    "entity": f"<Error><Code>Nothing</Code><{MARKER}>{MARKER}</{MARKER}></Error>",
    "other xml": f"<{MARKER} a='{MARKER}'>{MARKER}</{MARKER}>",
    "broken xml": f"<ListBucketResult><Contents><Size>{MARKER}</Size></Contents></ListBucketResult>",
    "failed delete": f"<DeleteResult><Error><Key>k</Key><Code>{MARKER}</Code></Error></DeleteResult>",
}
"""What other services answer that somebody names as an endpoint."""

STATUSES = (200, 204, 206, 307, 400, 401, 403, 404, 405, 409, 412, 416, 418, 500, 501)
UPLOAD_STATUSES = (200, 400, 403, 404, 412)
"""Without those that botocore itself asks for again, after a pause."""


def complaint(call: Callable[[], object]) -> str:
    try:
        call()
    except PodreduceError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_no_message_quotes_an_answer(answering: FakeS3, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The endpoint may be any server that the operator reaches, and the message is shown in the job's status."""
    monkeypatch.setattr("podreduce.storage.retries.RETRY_SECONDS", 0.0)
    store, uploads, leaks = answering.open_unretried(), answering.open_uploads(), []
    for status in STATUSES:
        answering.told = status, body
        calls = [(name, lambda call=call: call(store)) for name, call in OBJECT_CALLS.items()]
        if status in UPLOAD_STATUSES:
            calls += [(name, lambda call=call: call(uploads)) for name, call in UPLOAD_CALLS.items()]
        leaks += [(status, name, told) for name, call in calls if MARKER in (told := complaint(call))]
    assert leaks == []


@pytest.mark.parametrize(
    ("status", "code"), [(400, "InvalidBucketName"), (403, "AccessDenied"), (400, "KMS.NotFoundException")]
)
def test_a_message_has_the_status_and_the_code_of_the_answer(answering: FakeS3, status: int, code: str) -> None:
    answering.answer(status, code)
    for told in (
        complaint(lambda: answering.open_unretried().get("k")),
        complaint(lambda: answering.open_uploads().check("k", "1")),
    ):
        assert f"status {status}, {code}" in told


def test_an_endpoint_that_redirects_is_asked_once(answering: FakeS3) -> None:
    """botocore would ask for the region, with a request that is redirected too."""
    answering.told, before = (301, BODIES["other xml"]), answering.requests
    with pytest.raises(StorageDeniedError, match="which is not followed"):
        answering.open_uploads().check("k", "1")
    assert answering.requests == before + 1
