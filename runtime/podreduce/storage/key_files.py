"""The keys of a store as files that may change while a task runs: a mounted Secret.

The kubelet replaces all files of a volume at once: they are links into `..data`, itself a link that it turns to another
directory. It does so up to two minutes after the Secret was changed.
"""

import math
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["EXPIRE_SECONDS", "KeyFiles", "Keys", "read_keys", "watch_keys"]

Keys = tuple[str, str, str | None]
"""Access key, secret key, session token."""

EXPIRE_SECONDS = 60
"""After this time the clients are told that keys in files expire. Both then ask again for each request, obstore at most
ten times a second: they renew what expires within five minutes, or fifteen."""

ACCESS_KEY_FILE = "accessKey"
SECRET_KEY_FILE = "secretKey"  # noqa: S105 - a file's name
SESSION_TOKEN_FILE = "sessionToken"  # noqa: S105 - likewise
DATA_LINK = "..data"
READS = 3

WATCHED: dict[str, "KeyFiles"] = {}
"""By directory: all clients of the process have the same keys."""


class KeyFiles:
    """The newest keys in a directory. While a file is missing or empty, the last ones. Safe to share between threads.

    Args:
        directory: where the files are.
        keys: what they hold now.
        clock: gives monotonic seconds.
    """

    def __init__(self, directory: Path, keys: Keys, clock: Callable[[], float] = time.monotonic) -> None:
        self._directory = directory
        self._keys = keys
        self._clock = clock
        self._changed_at = -math.inf

    def read(self) -> Keys:
        """Return the keys as they are now. This takes some 50 microseconds."""
        found = read_keys(self._directory)
        if found is not None and found != self._keys:
            self._keys, self._changed_at = found, self._clock()
        return self._keys

    def changed_since(self, at: float) -> bool:
        """Read the keys, and tell whether other ones were found after `at` (monotonic seconds)."""
        self.read()
        return self._changed_at > at


def watch_keys(directory: str) -> KeyFiles | None:
    """Return the keys in the directory; None if there are none."""
    known = WATCHED.get(directory)
    if known is None and (keys := read_keys(Path(directory))) is not None:
        known = WATCHED[directory] = KeyFiles(Path(directory), keys)
    return known


def read_keys(directory: Path) -> Keys | None:
    """Return the keys in a directory; None if there are none, or if they are being replaced."""
    for _ in range(READS):
        place = find_data(directory)
        access_key, secret_key = read_text(place / ACCESS_KEY_FILE), read_text(place / SECRET_KEY_FILE)
        session_token = read_text(place / SESSION_TOKEN_FILE)
        if place == find_data(directory):  # else the files of one key may have been read with those of another
            return (access_key, secret_key, session_token) if access_key and secret_key else None
    return None


def find_data(directory: Path) -> Path:
    """Return the directory that has the files of a volume, or `directory` itself if it is not a volume."""
    link = directory / DATA_LINK
    return link.resolve() if link.is_symlink() else directory


def read_text(path: Path) -> str | None:
    """Return a file's text without the space around it; None if there is no text."""
    try:
        return path.read_text().strip() or None
    except (OSError, UnicodeDecodeError):
        return None
