"""The figures of a whole graph, from the tables of its vertices, communities and influencers."""

from typing import Any

import numpy as np
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from podreduce_apps.socialnetwork.graph import Ints
from podreduce_apps.socialnetwork.quality import average_f1, modularity_of_sums

__all__ = ["describe_convergence", "summarise"]

Figures = dict[str, dict[str, float | int | None]]


def summarise(nodes: Any, communities: Any, influence: Any) -> Figures:  # noqa: ANN401 - Tables
    """Return all figures by topic; None where there is nothing to measure."""
    return {
        "graph": describe_graph(nodes),
        "convergence": describe_convergence(nodes),
        "communities": describe_communities(communities),
        "agreement": compare_groups(nodes),
        "influence": describe_influence(influence),
    }


def describe_graph(nodes: Any) -> dict[str, float | int | None]:  # noqa: ANN401 - a Table
    """Return counts of vertices, edges, components and triangles, and the share of closed pairs of neighbours."""
    degrees, triangles = nodes["degree"].to_numpy(), nodes["triangles"].to_numpy()
    components = nodes["component"].to_numpy()
    pairs = int((degrees * (degrees - 1)).sum()) // 2
    return {
        "vertices": nodes.num_rows,
        "edges": int(degrees.sum()) // 2,
        "components": int(components.max()),
        "largestComponent": int((components == 1).sum()),
        "triangles": int(triangles.sum()) // 3,
        "transitivity": int(triangles.sum()) / pairs if pairs else None,
        "averageClustering": float(nodes["clustering"].to_numpy().mean()),
        "highestCore": int(nodes["core"].to_numpy().max()),
    }


def describe_convergence(nodes: Any) -> dict[str, float | int | None]:  # noqa: ANN401 - a Table
    """Return of how many vertices the scores had not settled when the rounds ended."""
    unsettled = {name: nodes[f"{name}Settled"].to_pylist().count(False) for name in ("pagerank", "hits")}
    return {"vertices": nodes.num_rows, **unsettled}


def describe_communities(communities: Any) -> dict[str, float | int | None]:  # noqa: ANN401 - a Table
    """Return the count, modularity, the share of weight within communities, and the median conductance."""
    within, volumes = 2 * communities["weightWithin"].to_numpy(), communities["volume"].to_numpy()
    total = volumes.sum()
    sizes = communities["members"].to_numpy()
    return {
        "communities": communities.num_rows,
        "largestCommunity": int(sizes.max()),
        "modularity": modularity_of_sums(within, volumes),
        "coverage": float(within.sum() / total) if total else None,
        "medianConductance": float(np.median(communities["conductance"].to_numpy()[sizes > 1]))
        if (sizes > 1).any()
        else None,
    }


def compare_groups(nodes: Any) -> dict[str, float | int | None]:  # noqa: ANN401 - a Table
    """Return how communities agree with known groups, over the vertices that have one."""
    groups = np.array(nodes["group"].to_pylist(), dtype=object)
    is_known = groups != ""
    if not is_known.any():
        return {"vertices": 0, "groups": 0, "nmi": None, "ari": None, "f1": None}
    known = numbered(groups[is_known].astype(str))
    found = numbered(nodes["community"].to_numpy()[is_known])
    return {
        "vertices": int(is_known.sum()),
        "groups": int(known.max()) + 1,
        "nmi": float(normalized_mutual_info_score(known, found)),
        "ari": float(adjusted_rand_score(known, found)),
        "f1": average_f1(found, known),
    }


def numbered(values: Any) -> Ints:  # noqa: ANN401 - an array of anything
    """Return values as numbers from 0 on."""
    numbers: Ints = np.unique(values, return_inverse=True)[1]
    return numbers


def describe_influence(influence: Any) -> dict[str, float | int | None]:  # noqa: ANN401 - a Table
    """Return how many the chosen vertices reach, by the sets and by simulation, and how many the best connected do."""
    last = influence.sort_by("place").slice(influence.num_rows - 1)
    return {
        "chosen": influence.num_rows,
        "reach": last["reach"][0].as_py(),
        "simulated": last["checked"][0].as_py(),
        "simulatedMargin": last["margin"][0].as_py(),
        "bestConnected": last["connected"][0].as_py(),
        "bestConnectedMargin": last["connectedMargin"][0].as_py(),
    }
