"""The report's plots: how many neighbours vertices have, how large communities are, and how far a message goes."""

from typing import Any

import numpy as np

from podreduce_apps.report_page import Plot, draw

__all__ = ["draw_plots"]


def draw_plots(nodes: Any, communities: Any, influence: Any, figures: Any) -> list[Plot]:  # noqa: ANN401 - Tables
    """Return all plots."""
    return [
        plot_degrees(nodes["degree"].to_numpy()),
        plot_communities(communities),
        plot_reach(influence.sort_by("place"), figures["influence"]),
    ]


def plot_degrees(degrees: Any) -> Plot:  # noqa: ANN401 - a vector
    """Return the share of vertices with at least so many neighbours."""
    values, counts = np.unique(degrees[degrees > 0], return_counts=True)
    caption = "Share of vertices with at least so many neighbours; both axes are logarithmic."
    with draw("How many neighbours vertices have.", caption) as drawing:
        if len(values):
            drawing.axes.loglog(values, counts[::-1].cumsum()[::-1] / len(degrees), ".")
        drawing.axes.set(xlabel="neighbours", ylabel="share of vertices")
    return drawing.finished()


def plot_communities(communities: Any) -> Plot:  # noqa: ANN401 - a Table
    """Return size and conductance of each community."""
    caption = "Each dot is a community. Low: few of its edges leave it."
    with draw("How large and how closed communities are.", caption) as drawing:
        drawing.axes.semilogx(communities["members"].to_numpy(), communities["conductance"].to_numpy(), "o")
        drawing.axes.set(xlabel="members", ylabel="conductance", ylim=(-0.03, 1.03))
    return drawing.finished()


def plot_reach(influence: Any, figures: Any) -> Plot:  # noqa: ANN401 - a Table, figures by name
    """Return how many the first of the chosen reach together."""
    caption = (
        "Estimate from the reverse-reachable sets, and the simulation of all of the chosen with its 95 % interval."
    )
    with draw("How many hear a message that the first so many send.", caption) as drawing:
        drawing.axes.plot(influence["place"].to_numpy(), influence["reach"].to_numpy(), "o-", label="estimate")
        drawing.axes.errorbar(
            [figures["chosen"]],
            [figures["simulated"]],
            yerr=[figures["simulatedMargin"]],
            fmt="s",
            capsize=4,
            label="simulated",
        )
        drawing.axes.set(xlabel="chosen vertices", ylabel="vertices reached")
        drawing.axes.set_ylim(bottom=0)
        drawing.axes.legend(loc="lower right")
    return drawing.finished()
