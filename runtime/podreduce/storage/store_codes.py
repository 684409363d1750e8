"""What the error codes of S3 and compatible stores mean: whether to try again, and what a person can do.

Pure data: `store_errors` looks up a code here before the HTTP status, because one status may have both meanings
(400 is a stalled upload and a wrong region). A code that is not here counts by its status. Sources: "Error responses"
of the Amazon S3 API reference, MinIO's cmd/api-errors.go, "HTTP status and error codes for XML" of Google Cloud
Storage, and the codes that botocore and the AWS SDKs retry.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

__all__ = ["MEANINGS", "Meaning", "Outcome"]


class Outcome(StrEnum):
    """What an error means for the request."""

    PASSES = "passes"
    """The same request may succeed soon."""
    REFUSED = "refused"
    """The request will fail until a person changes something."""
    CHANGED = "changed"
    """The object is not the requested version, or is too short for the requested range."""
    MISSING = "missing"
    """There is no such object."""
    BAD_NAME = "bad name"
    """The store cannot have an object with this name."""


Meaning = tuple[Outcome, str]
"""The outcome and, for a message, what happened or what to do; empty if the outcome says it all."""

BUSY = "it is busy and asks for fewer requests"
FAULT = "it has an internal fault"
CUT_SHORT = "the data did not arrive in time, or not whole"
GARBLED = "the data did not arrive as it was sent"
CONFLICT = "another request to the same object was running"
FULL = "it is full: delete something, or add disks"
AWAY = "it is starting, or part of it is down"
MOVING = "the bucket is being moved"
SKEWED = "this machine's clock is wrong by minutes: set it"

KEY = "the access key is unknown there: correct accessKey in the storage secret"
SECRET = "the secret key is wrong: correct secretKey in the storage secret"  # noqa: S105 - not a secret
TOKEN = "the session token is not valid: renew it in the storage secret"  # noqa: S105 - not a secret
EXPIRED = "the session token has expired: renew it in the storage secret"
RIGHTS = "the credentials do not allow this: grant them list, read, write and delete"
ACCOUNT = "the account may not do this: ask the store's provider"
REGION = "the region is wrong: correct region in the storage secret"
ELSEWHERE = "the bucket is in another region: correct region in the storage secret"
REDIRECT = "it redirects to another address, which is not followed: correct region or endpoint in the storage secret"
BUCKET = "the bucket does not exist: create it or correct the URI"
BUCKET_NAME = "no bucket can have this name: correct the URI"
ARCHIVED = "the object is in an archive: restore it first"
ENCRYPTION = "the object's encryption key cannot be used: grant or enable it"
QUOTA = "the quota is used up: raise it, or delete something"
LACKING = "the store cannot do this: use one that supports all of S3"
LARGE = "it is larger than the store accepts"
LONG_NAME = "the name is too long for the store: choose a shorter output or work prefix"


def share(outcome: Outcome, groups: Mapping[str, str]) -> dict[str, Meaning]:
    """Return the meaning of each code; `groups` has the codes for each text."""
    return {code: (outcome, words) for words, codes in groups.items() for code in codes.split()}


PASSING = share(
    Outcome.PASSES,
    {
        BUSY: "SlowDown SlowDownRead SlowDownWrite ServerBusy TooManyRequests TooManyRequestsException "
        "RequestThrottled RequestThrottledException Throttling ThrottlingException ThrottledException "
        "RequestLimitExceeded BandwidthLimitExceeded RateLimitExceeded PriorRequestNotComplete",
        FAULT: "InternalError InternalFailure BackendError ServiceUnavailable ServiceUnavailableException",
        CUT_SHORT: "RequestTimeout RequestTimeoutException IncompleteBody ClientDisconnected",
        GARBLED: "BadDigest CrcMismatch XAmzContentSHA256Mismatch XAmzContentChecksumMismatch InvalidPart",
        CONFLICT: "OperationAborted ConditionalRequestConflict",
        FULL: "XMinioStorageFull",
        AWAY: "XMinioServerNotInitialized XMinioBackendDown XMinioReadQuorum XMinioWriteQuorum",
        MOVING: "TemporaryRedirect Redirect",
        SKEWED: "RequestTimeTooSkewed RequestExpired",
    },
)
"""RequestTimeTooSkewed is among them because another attempt may run on a node whose clock is right."""

REFUSED = share(
    Outcome.REFUSED,
    {
        KEY: "InvalidAccessKeyId",
        SECRET: "SignatureDoesNotMatch",
        TOKEN: "InvalidToken TokenRefreshRequired",
        EXPIRED: "ExpiredToken ExpiredTokenException",
        RIGHTS: "AccessDenied AccessDeniedException AllAccessDisabled MethodNotAllowed",
        ACCOUNT: "AccountProblem NotSignedUp InvalidPayer UserSuspended InvalidSecurity UserProjectMissing",
        REGION: "AuthorizationHeaderMalformed InvalidRegion IllegalLocationConstraintException",
        ELSEWHERE: "PermanentRedirect IncorrectEndpoint",
        BUCKET: "NoSuchBucket",
        BUCKET_NAME: "InvalidBucketName",
        ARCHIVED: "InvalidObjectState",
        ENCRYPTION: "KMS.DisabledException KMS.InvalidKeyUsageException KMS.KMSInvalidStateException "
        "KMS.NotFoundException",
        QUOTA: "QuotaExceeded XMinioAdminBucketQuotaExceeded",
        LACKING: "NotImplemented",
        LARGE: "EntityTooLarge",
        LONG_NAME: "KeyTooLong KeyTooLongError",
    },
)

OF_THE_OBJECT = share(Outcome.CHANGED, {"": "PreconditionFailed InvalidRange"}) | share(
    Outcome.MISSING, {"": "NoSuchKey NoSuchVersion"}
)
NAMES = share(Outcome.BAD_NAME, {"": "InvalidURI InvalidObjectName XMinioInvalidObjectName"})

MEANINGS: Mapping[str, Meaning] = MappingProxyType(PASSING | REFUSED | OF_THE_OBJECT | NAMES)
"""By code."""
