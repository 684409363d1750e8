"""Where the commands ask: the options that they share with kubectl. Rule: data."""

import shlex
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Place"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A cluster and a namespace, as the command line names them. What is None is taken from the kubeconfig."""

    kubeconfig: Path | None = None
    context: str | None = None
    namespace: str | None = None
    all_namespaces: bool = False

    def command(self, *words: str) -> str:
        """Return a `podreduce` command for the same place, to be shown to a person."""
        options: list[str] = []
        if self.kubeconfig is not None:
            options += ["--kubeconfig", str(self.kubeconfig)]
        if self.context is not None:
            options += ["--context", self.context]
        if self.namespace is not None:
            options += ["-n", self.namespace]
        return shlex.join(["podreduce", *words, *options])
