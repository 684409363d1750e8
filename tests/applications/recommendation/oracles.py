"""Libraries that `make applications` compares with: installed into the test cache, pinned by their hashes.

They are never in the environment. Where there is no wheel of one, nothing is compared with it.
"""

import subprocess
import sys

from tests.cluster.paths import CHECKOUT, cache_directory

__all__ = ["NoOracleError", "use_oracle"]

REQUIREMENTS = CHECKOUT / "requirements" / "oracles.txt"


class NoOracleError(Exception):
    """The library is not in the cache, and cannot be installed."""


def use_oracle(package: str) -> None:
    """Let a library be imported; install all of them if it is not there."""
    directory = cache_directory() / "oracles"
    if not (directory / package).is_dir():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--upgrade"]
        command += ["--only-binary", ":all:", "--target", str(directory), "-r", str(REQUIREMENTS)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            raise NoOracleError(f"{package} cannot be installed: {done.stderr.strip().splitlines()[-1:]}")
    if str(directory) not in sys.path:
        sys.path.append(str(directory))
