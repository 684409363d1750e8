"""Maps the errors of a store's clients to podreduce's, here and nowhere else: obstore's exceptions and S3's answers.

Rule: pure. The meaning of S3's codes is in `store_codes`.
"""

import re
from urllib.parse import quote

from obstore.exceptions import (
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from podreduce.contract.errors import (
    BucketNotFoundError,
    InputError,
    ObjectChangedError,
    ObjectNotFoundError,
    PodreduceError,
    StorageDeniedError,
    StorageUnavailableError,
)
from podreduce.storage.place import Place
from podreduce.storage.store_codes import BUCKET, ELSEWHERE, EXPIRED, MEANINGS, REDIRECT, TOKEN, Meaning, Outcome

__all__ = [
    "NOWHERE",
    "STORE_ERRORS",
    "AnswerError",
    "is_conflict",
    "is_stale_token",
    "read_code",
    "translate",
]

STORE_ERRORS = (BaseError, OSError, ValueError)
"""What obstore raises: its own classes, and Python's FileNotFoundError, PermissionError and ValueError."""

NOWHERE = "http://127.0.0.1:0"
"""A proxy that cannot exist, because nothing can listen on port 0; see `redirects`."""

UNTRUSTED = "the endpoint's certificate is not trusted, or has expired: put its CA into caCert of the storage secret"
NO_CREDENTIALS = "there are no credentials: fill the storage secret, or set the AWS_* variables"
OTHER_HOST = "the endpoint's certificate is for another host name: correct endpoint in the storage secret"
FORBIDDEN = "this user may not do this: change the permissions"
REFUSALS = {
    "NotValidForName": OTHER_HOST,
    "Hostname mismatch": OTHER_HOST,
    "UnknownIssuer": UNTRUSTED,
    "InvalidCertificate(": UNTRUSTED,
    "CERTIFICATE_VERIFY_FAILED": UNTRUSTED,
    "redirect without LOCATION": ELSEWHERE,
    "127.0.0.1:0,": REDIRECT,
    "Permission denied": FORBIDDEN,
    "Operation not permitted": FORBIDDEN,
    "Read-only file system": "the directory is on a read-only file system: choose another",
    "missing credentials": NO_CREDENTIALS,
    "Unable to locate credentials": NO_CREDENTIALS,
}
"""Text found in an error without a code: from a file system, or without an answer of the store."""

OUTAGES = {
    "Connection refused": "nothing listens there",
    "Could not connect": "nothing listens there",
    "dns error": "its host name is unknown",
    "TimedOut": "it does not answer in time",
    "No space left on device": "the disk is full",
}
PASSING_FAULT = "probably a temporary fault"
PAST_THE_END = "StartTooLarge"
BAD_NAMES = ("are not supported", "Encountered object with invalid path")
SIGNS = (*REFUSALS, *OUTAGES, *BAD_NAMES, PAST_THE_END)

ANSWER = re.compile(
    r"Server returned (?:error response|non-2xx status code: (?P<status>\d{3})[^:]*): ?(?P<body>.*)", re.DOTALL
)
"""How obstore reports an answer of the store."""
CODE = re.compile(r"<Code>\s*([\w.]+)\s*</Code>")
DELETE_CODE = re.compile(r"DeleteObjects request failed .*\(code: ([\w.]+)\)", re.DOTALL)
REFUSED_STATUSES = frozenset({401, 403, 501})
REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
SHOWN_CODE = re.compile(r"[A-Za-z][A-Za-z.]{0,60}")
INVALID_ANSWER = re.compile(
    r"(?:Got invalid|Error (?:getting|parsing|decoding)|invalid XML|deseriali[sz])", re.IGNORECASE
)
"""How obstore reports an answer that is not S3's. The rest of such a text may quote the answer."""
REQUEST = re.compile(r"Generic S3 error: (?:Error performing \w+ request: )?Error performing \w+ \S+ in [^-]*? - ")
"""How obstore begins: with an address that the message has already, and with how often it has asked."""
PASSING_STATUSES = frozenset({408, 425, 429})
STATUS_OUTCOMES = {404: Outcome.MISSING, 412: Outcome.CHANGED, 416: Outcome.CHANGED}


class AnswerError(OSError):
    """A store's error answer, as a client other than obstore reports it; it has a code and a status."""

    def __init__(self, message: str, *, code: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


def translate(error: Exception, place: Place) -> PodreduceError:
    """Return what `error` of obstore, or an AnswerError, means; the remedy is last, so that cutting keeps it."""
    text = describe(error)
    where = f"{place.uri}: cannot {place.verb} it" + (f" at {place.endpoint}" if place.endpoint else "")
    outcome, words = classify(error, place)
    match outcome:
        case Outcome.REFUSED:
            kind = BucketNotFoundError if words == BUCKET else StorageDeniedError
            return kind(f"{where} ({text}): {words}")
        case Outcome.MISSING:
            return ObjectNotFoundError(f"{place.uri}: there is no such object")
        case Outcome.CHANGED:
            return ObjectChangedError(f"{place.uri}: the object is not the requested version")
        case Outcome.BAD_NAME:
            return InputError(f"{place.uri}: the store cannot hold or read this name ({text}); rename the object")
        case Outcome.PASSES:
            return StorageUnavailableError(f"{where} ({text}): {words or PASSING_FAULT}")


def describe(error: Exception) -> str:
    """Return what happened, without the body of an answer.

    The endpoint may be any server, and the message is shown to whoever named it. So an answer is only its status and
    its code: a body could be a page of another service that only the operator can reach.
    """
    text = str(error).split("\n\nDebug source", 1)[0]
    code, status = find_answer(error)
    if code is not None or status is not None or ANSWER.search(text):
        told = ["" if status is None else f"status {status}"]
        told.append(code if code is not None and SHOWN_CODE.fullmatch(code) else "")
        return f"the answer: {', '.join(filter(None, told)) or 'an error'}"
    invalid = INVALID_ANSWER.search(text)
    return "the answer is not one of S3" if invalid else REQUEST.sub("", text)[:400]


def classify(error: Exception, place: Place) -> Meaning:
    """Return what an error means: by the store's code, else its status, else the text of the client or system."""
    code, status = find_answer(error)
    if code is not None and code in MEANINGS:
        return MEANINGS[code]
    if status is not None:
        return classify_status(status)
    return classify_text(error, without_name(str(error), place))


def find_answer(error: Exception) -> tuple[str | None, int | None]:
    """Return the code and the HTTP status of the store's answer, as far as the error has them."""
    if isinstance(error, AnswerError):
        return error.code, error.status
    text = str(error)
    deleting = DELETE_CODE.search(text)
    if deleting is not None:
        return deleting[1], None
    answer = ANSWER.search(text)
    if answer is None:
        return None, None
    return read_code(answer["body"]), int(answer["status"]) if answer["status"] else None


def read_code(body: str) -> str | None:
    """Return the code in the body of a store's error answer."""
    code = CODE.search(body)
    return code and code[1]


def classify_status(status: int) -> Meaning:
    """Return what an answer without a known code means, by its status."""
    if status in STATUS_OUTCOMES:
        return STATUS_OUTCOMES[status], ""
    if status in REDIRECT_STATUSES:
        return Outcome.REFUSED, REDIRECT
    if status in REFUSED_STATUSES:
        return Outcome.REFUSED, "the store refuses the credentials" if status in (401, 403) else "the store refuses it"
    if status < 500 and status not in PASSING_STATUSES:  # noqa: PLR2004 - faults of the server begin here
        return Outcome.REFUSED, "the store refuses the request"
    return Outcome.PASSES, ""


def classify_text(error: Exception, text: str) -> Meaning:
    """Return what an error means that is not a store's answer, by its class and the signs in `text`."""
    remedy = next((remedy for sign, remedy in REFUSALS.items() if sign in text), None)
    if remedy is not None or isinstance(error, PermissionError | PermissionDeniedError | UnauthenticatedError):
        return Outcome.REFUSED, remedy or "the store refuses the credentials"
    if isinstance(error, FileNotFoundError):
        return Outcome.MISSING, ""
    if isinstance(error, PreconditionError) or PAST_THE_END in text:
        return Outcome.CHANGED, ""
    if isinstance(error, ValueError) or any(sign in text for sign in BAD_NAMES):
        return Outcome.BAD_NAME, ""
    return Outcome.PASSES, next((outage for sign, outage in OUTAGES.items() if sign in text), "")


def without_name(text: str, place: Place) -> str:
    """Return the text; without the object's name if a sign is in the name, which may contain any words."""
    name = place.uri.partition("://")[2].partition("/")[2]
    for written in (name, quote(name)):
        if any(sign in written for sign in SIGNS):
            text = text.replace(written, "")
    return text


def is_conflict(error: Exception) -> bool:
    """Tell whether a store answered 409 for a temporary conflict, and not because the object exists."""
    code, _ = find_answer(error)
    return MEANINGS.get(code or "", (None, ""))[0] is Outcome.PASSES


def is_stale_token(error: Exception) -> bool:
    """Tell whether the store says that the session token has expired, or is not valid any more."""
    code, _ = find_answer(error)
    return MEANINGS.get(code or "", (None, ""))[1] in (TOKEN, EXPIRED)
