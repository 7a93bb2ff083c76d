"""Pictures of results, all in one style."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PICTURES = Path("docs/pictures")
BLUE, GREEN, PURPLE, RED, GREY, PALE = "#1f77b4", "#2ca02c", "#9467bd", "#d62728", "#7f7f7f", "#c7c7c7"
PALE_GREEN, BROWN = "#98df8a", "#8c564b"
COLOURS = (BLUE, GREEN, PURPLE, RED, GREY)
WIDTH = 9

Figure = Any
"""A figure of matplotlib, which has no types. The first figure loads matplotlib, which takes a second."""

Lines = Mapping[str, tuple[Sequence[float], Sequence[float]]]
"""By label, where the points of each line are."""


def draw(figures: Mapping[str, Figure], folder: Path = PICTURES) -> None:
    """Write `NAME.svg` of each figure; the same figures give the same bytes."""
    import matplotlib as mpl  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "trials", "svg.fonttype": "none"}):
        for name, figure in figures.items():
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None}, bbox_inches="tight")


def panels(height: float, rows: int = 1, columns: int = 1, **shared: Any) -> tuple[Figure, list[Any]]:
    from matplotlib.figure import Figure as Drawn  # noqa: PLC0415

    figure = Drawn(figsize=(WIDTH, height), layout="constrained")
    found = list(figure.subplots(rows, columns, squeeze=False, **shared).flat)
    for panel in found:
        panel.grid(alpha=0.3)
        panel.set_axisbelow(True)
    return figure, found


def lines(panel: Any, found: Lines, style: str = "-", colours: Sequence[str] = COLOURS, **axes: Any) -> None:
    for (label, (xs, ys)), colour in zip(found.items(), colours, strict=False):
        panel.plot(xs, ys, style, color=colour, label=label)
    panel.set(**axes)
    for name in ("x", "y"):
        if axes.get(f"{name}scale") == "log":
            axis = getattr(panel, f"{name}axis")
            axis.set_major_formatter("{x:,g}")
            axis.set_minor_formatter("")
    if len(found) > 1:
        panel.legend()


def stacked(panel: Any, titles: Sequence[str], layers: Mapping[str, tuple[str, Sequence[float]]]) -> None:
    """Horizontal bars of layers on top of each other; each layer has a label, a colour, and its widths."""
    left = [0.0] * len(titles)
    for label, (colour, widths) in layers.items():
        panel.barh(titles, widths, left=left, color=colour, label=label)
        left = [start + width for start, width in zip(left, widths, strict=True)]


def calls_in_outage(
    at_s: Mapping[str, Sequence[float]], outage_s: float, seconds: range, kill_s: float | None = None
) -> Figure:
    """Calls a second at a partner by title, in seconds since it went down; one panel below the other."""
    figure, found = panels(1.5 * len(at_s), len(at_s), sharex=True)
    for panel, (title, moments) in zip(found, at_s.items(), strict=True):
        counts = [sum(second <= at < second + 1 for at in moments) for second in seconds]
        panel.step(seconds, counts, where="post", color=BLUE, linewidth=1.2)
        panel.axvspan(0, outage_s, color="black", alpha=0.07)
        if kill_s is not None:
            panel.axvline(kill_s, color=RED, linewidth=0.8)
        panel.set_title(title, loc="left", fontsize=10)
        panel.set_ylim(bottom=0)
    red = "" if kill_s is None else ", red: the kill"
    found[-1].set_xlabel(f"seconds since the partner went down; grey: the outage{red}")
    figure.supylabel("calls a second at the partner")
    return figure
