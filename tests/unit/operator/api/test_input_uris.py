import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from podreduce.contract.errors import InputError
from podreduce_operator.api.input_uris import UriKind, as_prefix, parse_input_uri

KEYS = [
    "a.txt",
    "a1.txt",
    "b.csv",
    "logs/a.txt",
    "logs/b.txt.gz",
    "logs/_tmp.txt",
    "logs/.hidden.txt",
    "logs/2026/a.txt",
    "logs/2026/11/a.txt",
    "logs/2026/_SUCCESS",
    "_old/a.txt",
    "books/",
    "books/one",
    "x[1].txt",
    "é.txt",
]


@pytest.mark.parametrize(
    ("key", "kind", "expected"),
    [
        pytest.param("a.txt", UriKind.OBJECT, ["a.txt"], id="object"),
        pytest.param("logs/_tmp.txt", UriKind.OBJECT, ["logs/_tmp.txt"], id="hidden-object-by-name"),
        pytest.param("logs/2026/", UriKind.PREFIX, ["logs/2026/a.txt", "logs/2026/11/a.txt"], id="prefix"),
        pytest.param("_old/", UriKind.PREFIX, ["_old/a.txt"], id="hidden-directory-by-name"),
        pytest.param("_old/*", UriKind.GLOB, ["_old/a.txt"], id="hidden-directory-by-name-in-a-glob"),
        pytest.param("?old/*", UriKind.GLOB, [], id="question-mark-is-nothing-hidden"),
        pytest.param("[_x]old/*", UriKind.GLOB, [], id="set-is-nothing-hidden"),
        pytest.param("**old/a.txt", UriKind.GLOB, [], id="two-stars-are-nothing-hidden"),
        pytest.param("_*/a.txt", UriKind.GLOB, ["_old/a.txt"], id="star-after-what-hides"),
        pytest.param("x[1]_*", UriKind.GLOB, [], id="what-hides-only-at-the-start"),
        pytest.param("books/", UriKind.PREFIX, ["books/one"], id="markers-are-no-objects"),
        pytest.param("*.txt", UriKind.GLOB, ["a.txt", "a1.txt", "x[1].txt", "é.txt"], id="star-in-one-part"),
        pytest.param("*/*.txt", UriKind.GLOB, ["logs/a.txt"], id="star-in-two-parts"),
        pytest.param("logs/*.txt*", UriKind.GLOB, ["logs/a.txt", "logs/b.txt.gz"], id="hidden-names-left-out"),
        pytest.param("a?.txt", UriKind.GLOB, ["a1.txt"], id="question-mark"),
        pytest.param("?.txt", UriKind.GLOB, ["a.txt", "é.txt"], id="question-mark-is-a-character"),
        pytest.param("logs?a.txt", UriKind.GLOB, [], id="question-mark-is-no-slash"),
        pytest.param("logs[/]a.txt", UriKind.GLOB, [], id="set-is-no-slash"),
        pytest.param("logs[!x]a.txt", UriKind.GLOB, [], id="negated-set-is-no-slash"),
        pytest.param("[ab].*", UriKind.GLOB, ["a.txt", "b.csv"], id="set"),
        pytest.param("[!b].*", UriKind.GLOB, ["a.txt", "é.txt"], id="negated-set"),
        pytest.param("[^b].*", UriKind.GLOB, ["a.txt", "é.txt"], id="negated-set-as-in-regex"),
        pytest.param("[a-b].csv", UriKind.GLOB, ["b.csv"], id="range"),
        pytest.param("[b-a].csv", UriKind.GLOB, [], id="range-upside-down"),
        pytest.param("x[[]1].txt", UriKind.GLOB, ["x[1].txt"], id="bracket-in-a-set"),
        pytest.param("x[1].txt", UriKind.GLOB, [], id="bracket-is-a-set"),
        pytest.param("x[1", UriKind.OBJECT, [], id="bracket-that-is-not-closed"),
        pytest.param(
            "**.txt",
            UriKind.GLOB,
            [
                "a.txt",
                "a1.txt",
                "logs/a.txt",
                "logs/2026/a.txt",
                "logs/2026/11/a.txt",
                "x[1].txt",
                "é.txt",
            ],
            id="two-stars-cross",
        ),
        pytest.param(
            "logs/**/a.txt",
            UriKind.GLOB,
            ["logs/a.txt", "logs/2026/a.txt", "logs/2026/11/a.txt"],
            id="two-stars-are-also-nothing",
        ),
        pytest.param("logs/**/*/a.txt", UriKind.GLOB, ["logs/2026/a.txt", "logs/2026/11/a.txt"], id="mixed-stars"),
        pytest.param("logs/20*/", UriKind.GLOB, ["logs/2026/a.txt", "logs/2026/11/a.txt"], id="glob-of-prefixes"),
    ],
)
def test_what_a_uri_names(key: str, kind: UriKind, expected: list[str]) -> None:
    uri = parse_input_uri(f"s3://corpus/{key}")
    assert (uri.kind, [each for each in KEYS if uri.names(each)]) == (kind, expected)


@pytest.mark.parametrize(
    ("uri", "store_uri", "prefix", "is_recursive"),
    [
        pytest.param("s3://corpus/", "s3://corpus/", "", True, id="whole-bucket"),
        pytest.param("s3://corpus/a/b/", "s3://corpus/", "a/b/", True, id="prefix"),
        pytest.param("s3://corpus/a/b*.txt", "s3://corpus/", "a/b", False, id="star-in-the-last-part"),
        pytest.param("s3://corpus/a/*/b", "s3://corpus/", "a/", True, id="star-before"),
        pytest.param("s3://corpus/a/**", "s3://corpus/", "a/", True, id="two-stars"),
        pytest.param("s3://corpus/a/[bc]?", "s3://corpus/", "a/", False, id="set"),
        pytest.param("file:///data/*.txt", "file:///", "data/", False, id="file"),
        pytest.param("s3://corpus/a b%20c#d", "s3://corpus/", "a b%20c#d", False, id="nothing-is-decoded"),
    ],
)
def test_where_to_look_for_it(uri: str, store_uri: str, prefix: str, is_recursive: bool) -> None:
    parsed = parse_input_uri(uri)
    assert (parsed.store_uri, parsed.literal_prefix, parsed.is_recursive) == (store_uri, prefix, is_recursive)


IN_A_PART = st.text(alphabet="ab-\n", max_size=3)
LITERALS = st.text(alphabet="ab-é\n", min_size=1, max_size=3)
PIECES = st.one_of(
    LITERALS.map(lambda text: (text, text)),
    IN_A_PART.map(lambda text: ("*", text)),
    st.sampled_from("ab-").map(lambda character: ("?", character)),
    st.sampled_from("ab").map(lambda character: ("[ab]", character)),
    st.sampled_from("-é").map(lambda character: ("[!ab]", character)),
)
PARTS = st.one_of(
    st.lists(PIECES, min_size=1, max_size=4).map(lambda pieces: tuple(map("".join, zip(*pieces, strict=True)))),
    st.lists(LITERALS, min_size=1, max_size=2).map(lambda parts: ("**", "/".join(parts))),
)


@st.composite
def draw_glob_and_key(draw: st.DrawFn) -> tuple[str, str]:
    """A glob behind a literal start, and a key that comes of it by writing something for each wildcard."""
    start = draw(st.sampled_from(["", "x", "logs/", "logs/2026/x"]))
    parts = draw(st.lists(PARTS, min_size=1, max_size=3))
    glob, key = (start + "/".join(each) for each in zip(*parts, strict=True))
    return glob, key


@given(draw_glob_and_key())
def test_whatever_a_glob_names_starts_with_its_literal_prefix(glob_and_key: tuple[str, str]) -> None:
    glob, key = glob_and_key
    uri = parse_input_uri(f"s3://corpus/{glob}")
    assume(uri.kind is UriKind.GLOB and not key.endswith("/"))
    assert uri.names(key)
    assert key.startswith(uri.literal_prefix)
    assert glob.startswith(uri.literal_prefix)
    assert uri.is_recursive or "/" not in key[len(uri.literal_prefix) :]


@given(st.text(alphabet="ab/*?[]!^-_.\n", max_size=12), st.text(alphabet="ab/_.\n", max_size=8))
def test_a_key_without_the_literal_prefix_is_not_named(glob: str, key: str) -> None:
    uri = parse_input_uri(f"s3://corpus/{glob}")
    assume(not key.startswith(uri.literal_prefix))
    assert not uri.names(key)


PATHS = st.lists(st.text(alphabet="ab_.", max_size=3), min_size=1, max_size=4).map("/".join)


def is_visible(path: str) -> bool:
    return not any(part.startswith(("_", ".")) for part in path.split("/"))


@given(PATHS, PATHS)
def test_a_prefix_names_what_has_no_hidden_part_below_it(prefix: str, rest: str) -> None:
    uri = parse_input_uri(f"s3://corpus/{prefix}/")
    assert uri.names(f"{prefix}/{rest}") is (is_visible(rest) and not f"/{rest}".endswith("/"))


def matches(glob: str, key: str) -> bool:
    """Match character by character, hidden or not: slow, and plain to see."""
    if not glob:
        return not key
    if glob.startswith("**/"):
        return matches(glob[3:], key) or any(
            matches(glob[3:], key[place + 1 :]) for place, character in enumerate(key) if character == "/"
        )
    if glob.startswith("**"):
        return any(matches(glob[2:], key[place:]) for place in range(len(key) + 1))
    if glob.startswith("*"):
        part = key.partition("/")[0]
        return any(matches(glob[1:], key[place:]) for place in range(len(part) + 1))
    same = key[:1] == glob[0] or (glob[0] == "?" and key[:1] not in ("", "/"))
    return same and matches(glob[1:], key[1:])


@given(st.lists(st.sampled_from(["a", "b", "/", "*", "?", "/**/"]), max_size=6).map("".join), PATHS)
def test_wildcards_match_what_they_should_and_nothing_hidden_at_any_depth(glob: str, key: str) -> None:
    glob = f"{glob}*".replace("**/**", "**").replace("***", "**").replace("a**/", "a/").replace("b**/", "b/")
    uri = parse_input_uri(f"s3://corpus/{glob}")
    assert uri.names(key) is (matches(glob, key) and is_visible(key) and not key.endswith("/"))


@pytest.mark.parametrize("uri", ["books/", "gs://corpus/a", "s3:///a", "file://data/a"])
def test_what_is_no_uri_is_refused(uri: str) -> None:
    with pytest.raises(InputError, match="URI"):
        parse_input_uri(uri)


def test_a_prefix_ends_in_a_slash() -> None:
    assert [as_prefix("s3://a/b"), as_prefix("s3://a/b/")] == ["s3://a/b/", "s3://a/b/"]
