"""What an input URI means: an object, a prefix that ends in `/`, or a glob.

Rule: pure. `*` and `?` do not match `/`, and `**` does. `**/` also matches nothing. `[a-z]` and `[!a-z]` match one
character. Prefixes and globs skip files and directories whose name starts with `_` or `.`, because tools keep their
own files there. A directory that the URI names in full is read.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from podreduce.contract.uris import split_object_uri

__all__ = ["InputUri", "UriKind", "as_prefix", "is_hidden", "parse_input_uri"]

TOKEN = re.compile(
    r"(?P<deep>(?:(?<=/)|^)\*\*/)|(?P<any>\*\*)|(?P<star>\*)|(?P<one>\?)"
    r"|\[(?P<not>[!^])?(?P<set>\][^\]]*|[^\]]+)\]"
)
"""The wildcards. A `[` without a `]` is a plain character."""


VISIBLE = r"(?!(?<![^/])[_.])"
"""Put before a wildcard, so that it does not match a `_` or `.` at the start of a name."""

BELOW = rf"(?:{VISIBLE}.)*"
"""What `**` and the rest of a prefix match."""


WILDCARDS = {"deep": f"(?:{BELOW}/)?", "any": BELOW, "star": f"{VISIBLE}[^/]*", "one": f"{VISIBLE}[^/]"}
"""The regular expression of each wildcard except a set."""


class UriKind(StrEnum):
    """The kinds of input URI."""

    OBJECT = "object"
    PREFIX = "prefix"
    GLOB = "glob"


@dataclass(frozen=True, kw_only=True)
class InputUri:
    """A parsed input URI.

    Attributes:
        uri: as the user wrote it.
        store_uri: the root of the store, such as `s3://bucket/`.
        key: an object's key, a prefix or a glob, below that root.
    """

    uri: str
    store_uri: str
    key: str
    kind: UriKind

    @property
    def literal_prefix(self) -> str:
        """The characters that every named key starts with."""
        wildcard = TOKEN.search(self.key) if self.kind is UriKind.GLOB else None
        return self.key[: wildcard.start()] if wildcard else self.key

    @property
    def is_recursive(self) -> bool:
        """Whether named keys may have a `/` after `literal_prefix`."""
        rest = self.key[len(self.literal_prefix) :]
        return self.kind is UriKind.PREFIX or "/" in rest or "**" in rest

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The expression that matches the named keys. It may also match keys whose last part is hidden."""
        if self.kind is UriKind.GLOB:
            return re.compile(translate_glob(self.key), re.DOTALL)
        return re.compile(re.escape(self.key) + (BELOW if self.kind is UriKind.PREFIX else ""), re.DOTALL)

    @property
    def literally(self) -> "InputUri":
        """The object or prefix with exactly this key: wildcards are plain characters."""
        kind = UriKind.PREFIX if self.key.endswith("/") else UriKind.OBJECT
        return replace(self, kind=kind)

    @property
    def below(self) -> "InputUri":
        """The prefix with the same name."""
        return replace(self, uri=as_prefix(self.uri), key=as_prefix(self.key), kind=UriKind.PREFIX)

    def names(self, key: str) -> bool:
        """Tell whether this URI names the object at `key`."""
        if self.kind is UriKind.OBJECT:
            return key == self.key
        return not is_hidden(key) and self.pattern.fullmatch(key) is not None


def parse_input_uri(uri: str) -> InputUri:
    """Parse `s3://bucket/key`, `s3://bucket/prefix/` or `s3://bucket/*.txt`, or the same with `file:///`.

    Raises:
        InputError: podreduce cannot read the scheme, or there is no bucket.
    """
    store_uri, key = split_object_uri(uri)
    return InputUri(uri=uri, store_uri=store_uri, key=key, kind=classify_key(key))


def classify_key(key: str) -> UriKind:
    """Return what an input key means. A glob may also end in `/`."""
    if TOKEN.search(key):
        return UriKind.GLOB
    return UriKind.PREFIX if not key or key.endswith("/") else UriKind.OBJECT


def is_hidden(key: str) -> bool:
    """Tell whether prefixes and globs skip a key because of its last part. Directory markers have nothing to read."""
    return key.endswith("/") or key.rpartition("/")[2].startswith(("_", "."))


def as_prefix(uri: str) -> str:
    """Return `uri` with a `/` at the end."""
    return uri if uri.endswith("/") else f"{uri}/"


def translate_glob(glob: str) -> str:
    """Return the regular expression of `glob`. A glob that ends in `/` matches everything below."""
    parts, position = [], 0
    for token in TOKEN.finditer(glob):
        parts.append(re.escape(glob[position : token.start()]) + translate_token(token))
        position = token.end()
    parts.append(re.escape(glob[position:]) + (BELOW if glob.endswith("/") else ""))
    return "".join(parts)


def translate_token(token: re.Match[str]) -> str:
    """Return the regular expression of one wildcard."""
    if token.lastgroup == "set":
        return translate_set(token["set"], negated=token["not"] is not None)
    return WILDCARDS[str(token.lastgroup)]


def translate_set(members: str, *, negated: bool) -> str:
    r"""Return the regular expression of `[members]`, which never matches `/`. An invalid `[z-a]` matches nothing."""
    escaped = re.sub(r"([\\\[\]^&~|]|-(?=-))", r"\\\1", members)
    expression = f"(?!/){VISIBLE}[{'^' if negated else ''}{escaped}]"
    try:
        re.compile(expression)
    except re.error:
        return "(?!)"
    return expression
