"""What the archive and the wheels of a program may be: `podreduce submit`, the operator and the tasks agree on this."""

__all__ = [
    "DIGEST_PREFIX",
    "MAX_ENTRIES",
    "MAX_FILE_BYTES",
    "MAX_UNPACKED_BYTES",
    "PROGRAM_DIRECTORY",
    "WHEEL_ENDING",
]

DIGEST_PREFIX = "sha256:"
WHEEL_ENDING = ".whl"

PROGRAM_DIRECTORY = "podreduce-program"
"""The name of the directory that holds what was unpacked, each file's content under its digest."""

MAX_FILE_BYTES = 512 * 2**20
"""The largest archive or wheel, as stored."""
MAX_UNPACKED_BYTES = 2 * 2**30
MAX_ENTRIES = 50_000
"""What one archive or wheel may hold. A zip file of some kilobytes can claim to hold petabytes."""
