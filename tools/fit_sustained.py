"""Fit what kernels keep of their speed inside a training step to the whole steps of the scoreboard.

Two kinds of numbers. `sustained_fraction`, one per family of devices, says how much slower kernels run inside a step than in
a loop of their own. `kernel_relative_speed`, one for the releases of NVIDIA's recipes that state it, says how much faster
theirs are than those of other releases on the same devices; it is told on families whose fraction other software fixes.

Sources weigh the same: each counts as the median of its signed errors, and a number is taken that brings the median over
sources to zero, so that a source with many rows has no more say than one with few, and one with something unmodelled does
not pull the others. Mixtures of experts stand aside: much of their time is the host's and the network's, which a device's
fraction must not make up for. Prints the result, and each source's error when it was left out of both fits. Needs an
installed ampacity:

    python tools/fit_sustained.py
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from typing import NamedTuple
from unittest import mock

from ampacity import Cluster
from ampacity._scoreboard import predict
from ampacity._scoreboard.cluster import cluster_of
from ampacity._scoreboard.layout import software_of
from ampacity._scoreboard.rows import Row, Skip, read_rows
from ampacity._scoreboard.training import REQUIRED_COLUMNS
from ampacity._validation import BUILTIN_TRAINING

GRID = [round(0.60 + 0.02 * i, 2) for i in range(21)]
STEP = 0.005
SPEEDS = [1 + STEP * i for i in range(-20, 41)]
# Sources of other releases that a family must have before it tells how fast a release is.
FEWEST_SOURCES = 3


class Group(NamedTuple):
    """Rows of one source, on one family, of releases that state a speed of their own, or of those that do not."""

    family: str
    source: str
    stated: bool


Errors = dict[Group, list[list[float]]]  # of each row: its signed error at every fraction of the grid


class Fit(NamedTuple):
    """Fractions by family, and the speed of the releases that state one."""

    fractions: dict[str, float]
    speed: float

    def of(self, group: Group) -> float:
        """Return what the kernels of a group keep."""
        return self.fractions[group.family] * (self.speed if group.stated else 1)


def with_fraction(cluster: Cluster, fraction: float) -> Cluster:
    """Return the cluster with another sustained fraction of its devices' family."""
    partition = cluster.partitions[0]
    device = partition.node.accelerator
    family = device.architecture.replace(sustained_fraction=fraction)
    node = partition.node.replace(accelerator=device.replace(architecture=family))
    return cluster.replace(partitions=[partition.replace(node=node)])


def errors_of(row: Row, speed: float) -> list[float]:
    """Predict a row with kernels that keep every fraction of the grid. Raises Skip where that cannot be done."""
    cluster, note = cluster_of(row)
    errors = []
    for fraction in GRID:
        changed = with_fraction(cluster, min(1.0, fraction / speed)), note
        with mock.patch.object(predict, "cluster_of", lambda _, changed=changed: changed):
            result = predict.predict(row)
        errors.append(result.predicted_s / result.measured_s - 1)
    return errors


def all_errors(rows: list[Row]) -> Errors:
    """Predict every row of a dense model with every fraction of the grid."""
    found: Errors = defaultdict(list)
    for row in rows:
        if row.count("n_experts"):
            continue
        try:
            family = cluster_of(row)[0].partitions[0].node.accelerator.architecture.name
            speed = software_of(row)[0].kernel_relative_speed
            errors = errors_of(row, speed)
        except Skip:
            continue
        found[Group(family, row.source_id, speed != 1)].append(errors)
    return dict(found)


def error_at(errors: list[float], fraction: float) -> float:
    """Return a row's error at a fraction between grid points (linear)."""
    position = min(max((fraction - GRID[0]) / (GRID[1] - GRID[0]), 0), len(GRID) - 1)
    below = min(int(position), len(GRID) - 2)
    return errors[below] + (errors[below + 1] - errors[below]) * (position - below)


def median_errors(errors: Errors, fit: Fit) -> dict[tuple[str, str], float]:
    """Return the median signed error by family and source."""
    rows: dict[tuple[str, str], list[float]] = defaultdict(list)
    for group, found in errors.items():
        rows[group.family, group.source] += [error_at(row, fit.of(group)) for row in found]
    return {key: statistics.median(values) for key, values in rows.items()}


def offset(errors: Errors, fit: Fit) -> float:
    """Return how far the median over sources of their median errors is from zero."""
    return abs(statistics.median(median_errors(errors, fit).values()))


def best_fractions(errors: Errors, speed: float) -> dict[str, float]:
    """Fit the fraction of each family."""
    candidates = [GRID[0] + STEP * i for i in range(round((GRID[-1] - GRID[0]) / STEP) + 1)]
    fractions = {}
    for family in sorted({group.family for group in errors}):
        here = {group: found for group, found in errors.items() if group.family == family}
        fractions[family] = min(candidates, key=lambda f: offset(here, Fit({family: f}, speed)))
    return fractions


def best_fit(errors: Errors) -> Fit:
    """Fit fractions and speed: the fractions of the families that tell it first, from releases that state none."""
    plain = {group: found for group, found in errors.items() if not group.stated}
    sources: dict[str, set[str]] = defaultdict(set)
    for group in plain:
        sources[group.family].add(group.source)
    telling = {family for family, names in sources.items() if len(names) >= FEWEST_SOURCES}
    stated = {group: found for group, found in errors.items() if group.stated and group.family in telling}
    speed = 1.0
    if stated:
        fractions = best_fractions({g: f for g, f in plain.items() if g.family in telling}, 1)
        speed = min(SPEEDS, key=lambda s: offset(stated, Fit(fractions, s)))
    return Fit(best_fractions(errors, speed), speed)


def main() -> None:
    """Print the fit and what it says of sources that it has not seen."""
    errors = all_errors(list(read_rows(BUILTIN_TRAINING, REQUIRED_COLUMNS)))
    fit = best_fit(errors)
    seen = median_errors(errors, fit)
    print(f"kernel_relative_speed of releases that state one: {fit.speed:.3f}")
    for family, fraction in fit.fractions.items():
        print(f"{family}: sustained_fraction = {fraction:.3f}")
        for (_, source), error in sorted((key, e) for key, e in seen.items() if key[0] == family):
            groups = {g: found for g, found in errors.items() if (g.family, g.source) == (family, source)}
            others = best_fit({g: found for g, found in errors.items() if g.source != source})
            line = f"  {source:<22} {sum(map(len, groups.values())):4d} rows  median error {error:+7.1%}"
            if family in others.fractions:
                unseen = median_errors(groups, others)[family, source]
                line += f"  left out: {others.fractions[family]:.3f}, {others.speed:.3f} gives {unseen:+7.1%}"
            print(line)


if __name__ == "__main__":
    main()
