"""Lines of any usual shape are edges, and what is no edge is named."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from podreduce_apps.socialnetwork.lines import check_total, has_nodes, parse_edges, parse_nodes


def batch(*lines: str) -> Any:
    offsets = [0, *(sum(len(each) + 1 for each in lines[: number + 1]) for number in range(len(lines) - 1))]
    return pa.RecordBatch.from_pydict({"key": offsets[: len(lines)], "value": list(lines)})


@pytest.mark.parametrize(
    ("line", "edge"),
    [
        ("a b", ("a", "b", 1.0)),
        ("a   b  2.5", ("a", "b", 2.5)),
        ("a\tb\t3", ("a", "b", 3.0)),
        (" a , b , 0.5 ", ("a", "b", 0.5)),
        ("Ada Park,Emil Kaya", ("Ada Park", "Emil Kaya", 1.0)),
        ("Ada Park\tKaya, Emil\t4", ("Ada Park", "Kaya, Emil", 4.0)),
        ("1,2,", ("1", "2", 1.0)),
        ("1 2 1e3 further fields", ("1", "2", 1000.0)),
        ("1 2 0", ("1", "2", 0.0)),
    ],
)
def test_a_line_is_an_edge(line: str, edge: tuple[str, str, float]) -> None:
    found = parse_edges(batch("x y", line))
    assert (found.sources[1].as_py(), found.targets[1].as_py(), found.weights[1] / 1e6) == edge


@pytest.mark.parametrize("line", ["a", "a,", ",b", "a b -1", "a b many", "a b nan", "a b 1e10", "a,b,1 2"])
def test_a_line_that_is_no_edge_is_shown(line: str) -> None:
    with pytest.raises(ValueError, match=line):
        parse_edges(batch("x y", line))


def test_comments_empty_lines_and_a_first_line_with_names_are_left_out() -> None:
    found = parse_edges(batch("source,target,weight", "", "# a comment", "% another", "  ", "source b"))
    assert found.sources.to_pylist() == ["source"]
    assert not len(parse_edges(batch("# nothing")).weights)


def test_a_vertex_has_a_name_and_may_have_a_group() -> None:
    names, groups = parse_nodes(batch("name,team", "Ada Park,Data", "Emil Kaya,"))
    assert (names.to_pylist(), groups.to_pylist()) == (["Ada Park", "Emil Kaya"], ["Data", ""])


def test_files_of_vertices_are_known_by_their_names() -> None:
    assert has_nodes("s3://corpus/nodes-1/nodes.csv")
    assert not has_nodes("s3://corpus/nodes/edges.csv")


@pytest.mark.parametrize(
    "header", ["source,target", "Source\ttarget", "source_id target_id", "\ufeffsource,target,weight", "source"]
)
def test_a_header_is_left_out_and_a_first_vertex_that_only_begins_so_is_not(header: str) -> None:
    assert parse_edges(batch(header, "a b")).sources.to_pylist() == ["a"]
    assert parse_edges(batch("sourceforge.net a")).sources.to_pylist() == ["sourceforge.net"]
    assert parse_nodes(batch("nameless,1"))[0].to_pylist() == ["nameless"]


@pytest.mark.parametrize("line", ['"Doe, Jane",b', '"a","b"', 'a,"Doe, Jane",3', 'a\t"b"'])
def test_quoted_fields_are_refused_because_they_would_be_cut(line: str) -> None:
    with pytest.raises(ValueError, match="quotes"):
        parse_edges(batch("x y", line))
    with pytest.raises(ValueError, match="quotes"):
        parse_nodes(batch("x y", line))


def test_a_weight_that_would_become_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="millionth"):
        parse_edges(batch("a b 1", "a b 1e-7"))
    assert parse_edges(batch("a b 0.000001")).weights.tolist() == [1]


def test_weights_whose_sum_does_not_fit_are_refused() -> None:
    check_total(np.full(4, 2**59))
    with pytest.raises(ValueError, match="divide all weights"):
        check_total(np.full(2**13, 10**15))
