"""An explanation as a page: what bounds a step, where its time goes, what would help, how well founded that is."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from ampacity._core import Explanation, Sensitivity, Term
from ampacity._report import figure, seconds_text

_BAR_WIDTH = 24
_SMALLEST_SHARE = 0.0005
_LEVER_NAMES = {
    "arithmetic": "peak FLOP/s, at the same energy per FLOP",
    "memory-bandwidth": "device memory bandwidth",
    "power-limit": "power limit of the device",
    "scaleup-bandwidth": "scale-up (NVLink) bandwidth",
    "scaleout-bandwidth": "scale-out network bandwidth",
    "latency": "network latency",
    "kernel-start": "start-up time of a kernel",
    "host": "host time to launch a kernel",
    "fixed-overhead": "fixed overhead of a step",
    "device-spread": "spread of speed among devices",
    "expert-imbalance": "imbalance of the experts",
}
_DIRECTIONS = {"forward": "fwd", "backward": "bwd", "recompute": "again"}


def lever_name(lever: str) -> str:
    """Return what a lever is called in a report.

    Examples
    --------
    >>> lever_name("latency")
    'network latency'
    """
    return _LEVER_NAMES.get(lever, lever.replace("-", " "))


def _is_operator(term: Term) -> bool:
    return bool(term.parts) and all(part.name in _DIRECTIONS for part in term.parts)


def _note(term: Term) -> str:
    """Return what stands beside a bar: the directions of an operator, what a communication hides."""
    if _is_operator(term):
        return ", ".join(f"{_DIRECTIONS[part.name]} {seconds_text(part.seconds)}" for part in term.parts)
    if term.hidden_s > 0 and not term.parts:
        return f"{seconds_text(term.hidden_s)} more hidden behind compute"
    return ""


def rows(term: Term, depth: int = 0) -> Iterator[tuple[int, Term, str]]:
    """Yield depth, term and note of every line of the table, largest first; directions stand in the notes."""
    for part in sorted(term.parts, key=lambda part: -part.seconds):
        yield depth, part, _note(part)
        if not _is_operator(part):
            yield from rows(part, depth + 1)


def _tree(why: Explanation, ascii_only: bool) -> Iterator[str]:
    block = "#" if ascii_only else "█"
    total = why.time.seconds
    for depth, term, note in rows(why.time):
        share = term.seconds / total
        if share < _SMALLEST_SHARE and term.hidden_s < _SMALLEST_SHARE * total:
            continue
        label = "  " * depth + term.name.replace("-", " ")
        bar = block * round(share * _BAR_WIDTH)
        yield f"  {label:<28}{share:>7.1%}  {seconds_text(term.seconds):>9}  {bar:<{_BAR_WIDTH}}  {note}".rstrip()
    if why.stage_imbalance_s > _SMALLEST_SHARE * total:
        share = why.stage_imbalance_s / total
        yield f"  of that, stages of unequal length: {share:.1%}, {seconds_text(why.stage_imbalance_s)}"


def _gain(one: Sensitivity) -> str:
    return f"{one.faster_fraction:+.1%}"


def _levers(why: Explanation) -> Iterator[str]:
    for one in why.sensitivities:
        if one.faster_fraction < _SMALLEST_SHARE:
            continue
        change = f"{one.change_fraction:+.0%}"
        yield f"  {change:>5} {lever_name(one.lever):<42}{_gain(one):>7} speed   elasticity {one.elasticity:+.2f}"
    idle = [lever_name(one.lever) for one in why.sensitivities if one.faster_fraction < _SMALLEST_SHARE]
    if idle:
        yield "  nothing to gain: " + ", ".join(idle)


def _measured(why: Explanation) -> Iterator[str]:
    if why.measured_source:
        yield f"  {why.measured_fraction:.0%} of the step from measured kernels: {why.measured_source}"


def _provenance(why: Explanation) -> Iterator[str]:
    yield from _measured(why)
    width = max((len(one.parameter) for one in why.provenance), default=0)
    for one in why.provenance:
        number = figure(one.value) if 1e-2 <= abs(one.value) < 1e6 else f"{one.value:.4g}"
        yield f"  {one.parameter:<{width}}  {number:>10}  {one.confidence:<9} {one.source}".rstrip()


def text(why: Explanation, *, ascii_only: bool = False, head: bool = True) -> str:
    """Return the report of an explanation; without `head` the name of what is explained is left out."""
    causes = [f"  {bound.share_fraction:>6.1%}  {bound.text}" for bound in why.bounds]
    sections = {
        f"What bounds a step of {seconds_text(why.time.seconds)}": causes,
        "Where its time goes": list(_tree(why, ascii_only)),
        "What would help": list(_levers(why)),
        "Extrapolated or not modelled": [f"  - {doubt}" for doubt in why.doubts],
        "Where the parameters come from": list(_provenance(why)),
    }
    titles = [f"{why.model} on {why.cluster}: {why.accelerators:,} accelerators"] if head else []
    return "\n\n".join([*titles, *("\n".join([title, *lines]) for title, lines in sections.items() if lines)])


def _table(title: str, lines: list[list[str]]) -> str:
    cells = "".join(
        "<tr>" + "".join(f"<td style='text-align:left;white-space:pre'>{escape(cell)}</td>" for cell in line) + "</tr>"
        for line in lines
    )
    return f"<h4>{escape(title)}</h4><table>{cells}</table>"


def html(why: Explanation) -> str:
    """Return the same as tables for notebooks."""
    total = why.time.seconds
    tree = [
        ["  " * depth + term.name.replace("-", " "), f"{term.seconds / total:.1%}", seconds_text(term.seconds), note]
        for depth, term, note in rows(why.time)
    ]
    levers = [
        [f"{one.change_fraction:+.0%} {lever_name(one.lever)}", _gain(one), f"{one.elasticity:+.2f}"]
        for one in why.sensitivities
    ]
    sources = [[one.parameter, f"{one.value:.6g}", one.confidence, one.source] for one in why.provenance]
    return (
        _table(
            f"What bounds a step of {seconds_text(total)}",
            [[f"{bound.share_fraction:.1%}", bound.text] for bound in why.bounds],
        )
        + _table("Where its time goes", tree)
        + _table("What would help", levers)
        + _table("Extrapolated or not modelled", [[doubt] for doubt in why.doubts])
        + _table("Where the parameters come from", sources)
    )
