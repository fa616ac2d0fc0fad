"""Fit `sustained_fraction` of each device family to the whole steps of the scoreboard, sources weighted equally.

One number per family says how much slower kernels run inside a training step than in a loop of their own. Each source
counts as the median of its signed errors, and the fraction is taken that brings the median over sources to zero: a source
with many rows has no more say than one with few, and one with something unmodelled does not pull the others. Mixtures of
experts stand aside: much of their time is the host's and the network's, which a device's fraction must not make up for. Prints the
result, and what it would be with each source left out, together with that source's error then. Needs an installed ampacity:

    python tools/fit_sustained.py
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from unittest import mock

from ampacity import Cluster
from ampacity._scoreboard import predict
from ampacity._scoreboard.cluster import cluster_of
from ampacity._scoreboard.rows import Row, Skip, read_rows
from ampacity._scoreboard.training import REQUIRED_COLUMNS
from ampacity._validation import BUILTIN_TRAINING

GRID = [round(0.66 + 0.02 * i, 2) for i in range(17)]
Errors = dict[str, dict[float, list[float]]]  # source -> fraction -> signed errors


def with_fraction(cluster: Cluster, fraction: float) -> Cluster:
    """Return the cluster with another sustained fraction of its devices' family."""
    partition = cluster.partitions[0]
    device = partition.node.accelerator
    family = device.architecture.replace(sustained_fraction=fraction)
    node = partition.node.replace(accelerator=device.replace(architecture=family))
    return cluster.replace(partitions=[partition.replace(node=node)])


def errors_by_family(rows: list[Row]) -> dict[str, Errors]:
    """Predict every row with every fraction of the grid."""
    found: dict[str, Errors] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for row in rows:
        if row.count("n_experts"):
            continue
        try:
            cluster, note = cluster_of(row)
            family = cluster.partitions[0].node.accelerator.architecture.name
            for fraction in GRID:
                changed = with_fraction(cluster, fraction), note
                with mock.patch.object(predict, "cluster_of", lambda _, changed=changed: changed):
                    result = predict.predict(row)
                found[family][row.source_id][fraction].append(result.predicted_s / result.measured_s - 1)
        except Skip:
            continue
    return found


def median_error(errors: dict[float, list[float]], fraction: float) -> float:
    """Median signed error of a source at a fraction between grid points (linear)."""
    below = max(f for f in GRID if f <= fraction + 1e-9)
    above = min((f for f in GRID if f >= fraction - 1e-9), default=below)
    low, high = statistics.median(errors[below]), statistics.median(errors[above])
    return low if above == below else low + (high - low) * (fraction - below) / (above - below)


def best_fraction(sources: Errors) -> float:
    """Return the fraction whose median over sources of the signed median error is nearest to zero."""
    candidates = [GRID[0] + 0.005 * i for i in range(round((GRID[-1] - GRID[0]) / 0.005) + 1)]
    return min(candidates, key=lambda f: abs(statistics.median(median_error(e, f) for e in sources.values())))


def main() -> None:
    """Print the fit of each family and its left-out errors."""
    for family, sources in sorted(errors_by_family(list(read_rows(BUILTIN_TRAINING, REQUIRED_COLUMNS))).items()):
        fraction = best_fraction(sources)
        print(f"{family}: sustained_fraction = {fraction:.3f} ({len(sources)} sources)")
        for source, errors in sorted(sources.items()):
            others = {name: e for name, e in sources.items() if name != source}
            line = f"  {source:<22} {len(errors[GRID[0]]):4d} rows  median error {median_error(errors, fraction):+7.1%}"
            if others:
                left_out = best_fraction(others)
                line += f"  left out: {left_out:.3f} gives {median_error(errors, left_out):+7.1%}"
            print(line)


if __name__ == "__main__":
    main()
