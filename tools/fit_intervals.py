"""Fit the error bars of step times to the scoreboard, sources weighted equally, and show their coverage out of sample.

What ln(measured / predicted) does in a source that was not seen is taken from the sources that were: each source counts
once, however many rows it has, so that what differs between sources (software, site, how a step was timed) and what
differs within one both widen the interval. The residuals follow Student's t about zero (a bias of the model is part of its
error), with one scale for dense models and one for mixtures of experts and common degrees of freedom, by maximum
likelihood; a few sources are much further off than the rest, which is why the tails are heavier than normal. A new source
is one more draw beside J seen ones: scales are widened by sqrt(1 + 1/J).

Prints scales and the coverage of 50 and 90 % intervals in each source when it was left out of the fit. ``--write`` renews
cpp/src/estimate/interval_table.hpp, where the library reads them. Needs an installed ampacity::

    python tools/fit_intervals.py --write
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from ampacity._scoreboard.cluster import cluster_of
from ampacity._scoreboard.layout import software_of
from ampacity._scoreboard.model import model_of
from ampacity._scoreboard.predict import predict
from ampacity._scoreboard.rows import Row, Skip, read_rows
from ampacity._scoreboard.training import REQUIRED_COLUMNS
from ampacity._validation import BUILTIN_TRAINING

TABLE = Path(__file__).resolve().parent.parent / "cpp" / "src" / "estimate" / "interval_table.hpp"
LEVELS = (0.5, 0.9)
# A regime has a scale of its own from this many sources on; below, it has that of all rows.
FEWEST_SOURCES = 2
# Degrees of freedom: finite variance at least, all but normal at most.
FREEDOM = (2.0, 30.0)
GOLDEN = (math.sqrt(5) - 1) / 2
COLUMN_LIMIT = 120


class Residual(NamedTuple):
    """ln(measured / predicted) of a row, and what of it the library knows."""

    value: float
    is_moe: bool
    family: str
    precision: str
    software: str
    accelerators: int


class Fit(NamedTuple):
    """Student's t of the residuals: scale of dense models and of mixtures of experts, degrees of freedom."""

    dense: float
    moe: float
    freedom: float
    sources: int

    def half_width(self, level: float, is_moe: bool) -> float:
        """Return the half-width of an interval in ln(step time)."""
        return quantile(0.5 + level / 2, self.freedom) * (self.moe if is_moe else self.dense)


Sources = dict[str, list[Residual]]


def _beta_fraction(a: float, b: float, x: float) -> float:
    """Continued fraction of the incomplete beta function (Abramowitz and Stegun 26.5.8), by Lentz's method."""
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    result = d
    for m in range(1, 500):
        for factor in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            c, d = 1 + factor / c, 1 / (1 + factor * d)
            result *= c * d
        if abs(c * d - 1) < 1e-14:
            break
    return result


def probability(t: float, freedom: float) -> float:
    """Cumulative distribution of Student's t at t >= 0 (Abramowitz and Stegun 26.7.1)."""
    a, b, x = freedom / 2, 0.5, freedom / (freedom + t * t)
    if x >= 1:
        return 0.5
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(1 - x))
    inside = front * _beta_fraction(a, b, x) / a
    if x >= (a + 1) / (a + b + 2):
        inside = 1 - front * _beta_fraction(b, a, 1 - x) / b
    return 1 - inside / 2


def quantile(share: float, freedom: float) -> float:
    """Quantile of Student's t at share >= 0.5, by bisection."""
    low, high = 0.0, 1e4
    while high - low > 1e-9 * (1 + high):
        middle = (low + high) / 2
        low, high = (middle, high) if probability(middle, freedom) < share else (low, middle)
    return (low + high) / 2


def _scale(rows: list[tuple[float, float]], freedom: float) -> float:
    """Maximum-likelihood scale of (weight, residual), by expectation maximisation."""
    total = sum(weight for weight, _ in rows)
    square = sum(weight * value**2 for weight, value in rows) / total
    for _ in range(500):
        better = sum(w * (freedom + 1) / (freedom + v**2 / square) * v**2 for w, v in rows) / total
        if abs(better - square) < 1e-12 * square:
            break
        square = better
    return math.sqrt(square)


def _log_likelihood(rows: list[tuple[float, float]], scale: float, freedom: float) -> float:
    constant = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - math.log(freedom * math.pi) / 2
    return sum(
        w * (constant - math.log(scale) - (freedom + 1) / 2 * math.log1p((v / scale) ** 2 / freedom)) for w, v in rows
    )


def _regimes(sources: Sources) -> list[list[tuple[float, float]]]:
    """Return dense rows and rows with experts (or all rows, where experts have too few sources), each source weighing 1."""
    weighted = [(1 / len(rows), row) for rows in sources.values() for row in rows]
    dense = [(w, r.value) for w, r in weighted if not r.is_moe]
    moe = [(w, r.value) for w, r in weighted if r.is_moe]
    with_experts = sum(any(row.is_moe for row in rows) for rows in sources.values())
    return [dense, moe] if with_experts >= FEWEST_SOURCES else [[(w, r.value) for w, r in weighted]] * 2


def fit(sources: Sources) -> Fit:
    """Fit scales and degrees of freedom (golden section over their logarithm)."""
    regimes = _regimes(sources)

    def likelihood(log_freedom: float) -> float:
        freedom = math.exp(log_freedom)
        return sum(_log_likelihood(rows, _scale(rows, freedom), freedom) for rows in regimes)

    low, high = (math.log(bound) for bound in FREEDOM)
    while high - low > 1e-3:
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        low, high = (low, right) if likelihood(left) > likelihood(right) else (left, high)
    freedom = math.exp((low + high) / 2)
    new_source = math.sqrt(1 + 1 / len(sources))
    dense, moe = (new_source * _scale(rows, freedom) for rows in regimes)
    return Fit(dense, moe, freedom, len(sources))


def coverage(rows: list[Residual], found: Fit, level: float) -> float:
    """Return the share of rows within the interval."""
    return sum(abs(row.value) <= found.half_width(level, row.is_moe) for row in rows) / len(rows)


def left_out(sources: Sources) -> dict[str, list[float]]:
    """Return the coverage at each level of every source by the fit to the others."""
    result = {}
    for name, rows in sources.items():
        others = fit({other: found for other, found in sources.items() if other != name})
        result[name] = [coverage(rows, others, level) for level in LEVELS]
    return result


def residual(row: Row) -> Residual:
    """Predict a row. Raises Skip where that cannot be done."""
    found = predict(row)
    device = cluster_of(row)[0].partitions[0].node.accelerator
    return Residual(
        math.log(found.measured_s / found.predicted_s),
        model_of(row).experts > 0,
        device.architecture.name,
        found.estimate.precision,
        software_of(row)[0].name,
        found.estimate.accelerators,
    )


def residuals() -> Sources:
    """Predict the scoreboard."""
    sources: Sources = defaultdict(list)
    for row in read_rows(BUILTIN_TRAINING, REQUIRED_COLUMNS):
        try:
            found = residual(row)
        except Skip:
            continue
        sources[row.source_id].append(found)
    return dict(sources)


def _names(kind: str, names: set[str]) -> str:
    items = ", ".join(f'"{name}"' for name in sorted(names))
    line = f"inline constexpr std::array<std::string_view, {len(names)}> {kind}{{{items}}};"
    if len(line) <= COLUMN_LIMIT:
        return line
    lines, current = [], f"inline constexpr std::array<std::string_view, {len(names)}> {kind}{{"
    indent = " " * 4
    lines.append(current)
    current = indent
    for index, name in enumerate(sorted(names)):
        item = f'"{name}"' + (", " if index + 1 < len(names) else "};")
        if len(current + item.rstrip()) > COLUMN_LIMIT:
            lines.append(current.rstrip())
            current = indent
        current += item
    return "\n".join([*lines, current])


def table(sources: Sources, found: Fit) -> str:
    """Return the C++ header."""
    rows = [row for found_rows in sources.values() for row in found_rows]
    formats = {f"{row.family}/{row.precision}" for row in rows}
    numbers = "\n".join(
        f"inline constexpr double {regime}_half_width_{round(100 * level)} = {found.half_width(level, is_moe):.4f};"
        for regime, is_moe in (("dense", False), ("moe", True))
        for level in LEVELS
    )
    return f"""// Written by tools/fit_intervals.py --write from the training scoreboard. Do not edit.
// clang-format off
#pragma once

#include <array>
#include <string_view>

namespace ampacity::interval {{

// Half-widths in ln(step time): Student's t with {found.freedom:.2f} degrees of freedom, scales {found.dense:.4f} (dense) and \
{found.moe:.4f}
// (experts), from {len(rows)} rows of {found.sources} sources, each source weighted equally.
{numbers}
inline constexpr double largest_job = {max(row.accelerators for row in rows)};  // accelerators
// What the rows ran: device family with format, and software.
{_names("formats", formats)}
{_names("software", {row.software for row in rows})}

}}  // namespace ampacity::interval
"""


def main() -> None:
    """Print the fit and its coverage; write the table if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help=f"renew {TABLE.name}")
    options = parser.parse_args()
    sources = residuals()
    found = fit(sources)
    print(f"scale: dense {found.dense:.3f}, experts {found.moe:.3f}; degrees of freedom {found.freedom:.2f}")
    for regime, is_moe in (("dense", False), ("experts", True)):
        widths = [f"{level:.0%}: {math.expm1(found.half_width(level, is_moe)):+.1%}" for level in LEVELS]
        print(f"  {regime:<8}" + "  ".join(widths))
    print(f"\ncoverage with the source left out{'rows':>8}" + "".join(f"{level:>8.0%}" for level in LEVELS))
    shares = left_out(sources)
    for name, found_shares in sorted(shares.items()):
        print(f"  {name:<31}{len(sources[name]):>8}" + "".join(f"{share:>8.0%}" for share in found_shares))
    means = [sum(share[i] for share in shares.values()) / len(shares) for i in range(len(LEVELS))]
    print(f"  {'mean of sources':<39}" + "".join(f"{mean:>8.0%}" for mean in means))
    if options.write:
        TABLE.write_text(table(sources, found), encoding="utf-8")


if __name__ == "__main__":
    main()
