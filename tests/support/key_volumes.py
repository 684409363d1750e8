"""A directory of keys that changes as a mounted Secret does: through the link `..data`, all files at once."""

import shutil
from itertools import count
from pathlib import Path

__all__ = ["KeyVolume"]


class KeyVolume:
    """The volume at `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._versions = count()

    def write(self, **files: str) -> None:
        """Replace all files, in the kubelet's order: the new ones are there before the link turns to them."""
        link = self.directory / "..data"
        old = link.resolve() if link.is_symlink() else None
        new = self.directory / f"..version_{next(self._versions)}"
        new.mkdir(parents=True)
        for name, text in files.items():
            (new / name).write_text(f"{text}\n")
            if not (self.directory / name).is_symlink():
                (self.directory / name).symlink_to(f"..data/{name}")
        turned = self.directory / "..data_tmp"
        turned.symlink_to(new.name)
        turned.replace(link)
        if old is not None:
            shutil.rmtree(old)

    def put(self, access_key: str, secret_key: str = "hush", token: str = "") -> None:  # noqa: S107 - a test's
        """Write these keys."""
        files = {"accessKey": access_key, "secretKey": secret_key}
        self.write(**files, **({"sessionToken": token} if token else {}))
