"""What the input's URIs name: an object, a prefix ending in `/`, or a glob.

Rule: pure. `*` and `?` stay within one `/`, `**` crosses, `**/` also stands for nothing, `[a-z]` and `[!a-z]` are one
character. Under a prefix or glob, names that start with `_` or `.` are left out, and so is what lies below directories
that do: tools put their own there. A directory that the URI itself spells out is read.
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
"""The wildcards; a `[` without its `]` is a plain character."""


VISIBLE = r"(?!(?<![^/])[_.])"
"""Before what a wildcard matches: not the `_` or `.` that a part of the key starts with."""

BELOW = rf"(?:{VISIBLE}.)*"
"""What a prefix, and `**`, stand for."""


WILDCARDS = {"deep": f"(?:{BELOW}/)?", "any": BELOW, "star": f"{VISIBLE}[^/]*", "one": f"{VISIBLE}[^/]"}
"""What each stands for; a set has its own members."""


class UriKind(StrEnum):
    """What a URI names."""

    OBJECT = "object"
    PREFIX = "prefix"
    GLOB = "glob"


@dataclass(frozen=True, kw_only=True)
class InputUri:
    """A URI of the input, parsed.

    Attributes:
        uri: as the user wrote it.
        store_uri: the store's root, `s3://bucket/`.
        key: below that root: an object's key, a prefix, or a glob.
    """

    uri: str
    store_uri: str
    key: str
    kind: UriKind

    @property
    def literal_prefix(self) -> str:
        """What every key that it names starts with."""
        wildcard = TOKEN.search(self.key) if self.kind is UriKind.GLOB else None
        return self.key[: wildcard.start()] if wildcard else self.key

    @property
    def is_recursive(self) -> bool:
        """Whether it names keys with a further `/` after `literal_prefix`."""
        rest = self.key[len(self.literal_prefix) :]
        return self.kind is UriKind.PREFIX or "/" in rest or "**" in rest

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What matches the keys it names, and those whose last part is hidden."""
        if self.kind is UriKind.GLOB:
            return re.compile(translate_glob(self.key), re.DOTALL)
        return re.compile(re.escape(self.key) + (BELOW if self.kind is UriKind.PREFIX else ""), re.DOTALL)

    @property
    def literally(self) -> "InputUri":
        """The object or prefix whose key has these very characters, wildcards or not."""
        kind = UriKind.PREFIX if self.key.endswith("/") else UriKind.OBJECT
        return replace(self, kind=kind)

    @property
    def below(self) -> "InputUri":
        """The prefix of the same name."""
        return replace(self, uri=as_prefix(self.uri), key=as_prefix(self.key), kind=UriKind.PREFIX)

    def names(self, key: str) -> bool:
        """Tell whether the object at `key` is named by this URI."""
        if self.kind is UriKind.OBJECT:
            return key == self.key
        return not is_hidden(key) and self.pattern.fullmatch(key) is not None


def parse_input_uri(uri: str) -> InputUri:
    """Parse `s3://bucket/key`, `s3://bucket/prefix/` or `s3://bucket/*.txt`, likewise `file:///`.

    Raises:
        InputError: it has no scheme podreduce can read, or no bucket.
    """
    store_uri, key = split_object_uri(uri)
    return InputUri(uri=uri, store_uri=store_uri, key=key, kind=classify_key(key))


def classify_key(key: str) -> UriKind:
    """Return what a key of the input is; a glob may end in `/` too."""
    if TOKEN.search(key):
        return UriKind.GLOB
    return UriKind.PREFIX if not key or key.endswith("/") else UriKind.OBJECT


def is_hidden(key: str) -> bool:
    """Tell whether prefixes and globs leave out a key by its last part; markers of directories are nothing to read."""
    return key.endswith("/") or key.rpartition("/")[2].startswith(("_", "."))


def as_prefix(uri: str) -> str:
    """Return `uri` with the `/` that a prefix ends in."""
    return uri if uri.endswith("/") else f"{uri}/"


def translate_glob(glob: str) -> str:
    """Return the regular expression of `glob`; one that ends in `/` stands for everything below."""
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
    r"""Return the regular expression of `[members]`, which like `?` never matches `/`; of `[z-a]`, one of nothing."""
    escaped = re.sub(r"([\\\[\]^&~|]|-(?=-))", r"\\\1", members)
    expression = f"(?!/){VISIBLE}[{'^' if negated else ''}{escaped}]"
    try:
        re.compile(expression)
    except re.error:
        return "(?!)"
    return expression
