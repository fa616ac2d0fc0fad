#!/usr/bin/env python3
"""Fit the device families to measured kernels, and print how far off the model is, each GPU also when left out.

    python3 tools/fit_architectures.py            # tables of the package; or FILE.csv... with their columns
    python3 tools/fit_architectures.py --no-fit   # errors of the values in the catalogue only
    python3 tools/fit_architectures.py --check    # C++ against the slow reference in tests/reference

Needs an installed Ampacity; fits with the same code as `ampacity calibrate`. A parameter belongs to a family, never to one
row or one GPU. Rows of other sources than the aiconfigurator database and the FlashAttention figures are never fitted.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

import ampacity as amp
from ampacity._calibrate.fit import errors, fit, usable
from ampacity._calibrate.parameters import told_by
from ampacity._scoreboard import gemm_power, kernels
from ampacity._scoreboard.kernel_reading import predicted, watts_read
from ampacity._scoreboard.kernel_tables import Group, read_tables
from ampacity._validation import KINDS

REFERENCE = pathlib.Path(__file__).resolve().parents[1] / "tests" / "reference"
MEASURED = ("ampere", "hopper", "blackwell")  # families with rows to fit
FITTED_SOURCES = ("aiconfigurator", "flashattention")
FITTED_GPUS = ("A100-80GB-SXM", "H100-80GB-SXM", "B200", "B200-SXM", "GB200")
WIDE = 3.0  # prior of a fit that is to forget where it started
# Long kernels, whose watts the fit sees, do not tell what a device draws before work from what it draws for memory: rows
# of all lengths do, by way of the meter. Steps of the search for the least median error of each GPU, and what makes one.
BY_METER = {"active_fraction": 0.01, "memory_j_per_byte": 2e-12}
IDLE_STEP_W = 4.0  # of each GPU's own power when idle, which differs by how it is cooled
WORTH = 1e-3
FORMATS = ("fp32", "tf32", "fp16", "bf16", "fp8", "fp8-block", "mxfp8", "nvfp4")


def read(files: Sequence[pathlib.Path], *, small: bool = False) -> list[Group]:
    """Return the groups of all tables that a fit can see; of rows with watts also those of small products if asked."""
    named = files or [path for kind in ("kernels", "gemm_power") for path in KINDS[kind].tables]
    found: list[Group] = []
    for path in named:
        power = "power_w" in path.read_text(encoding="utf-8").split("\n", 1)[0]
        kind = gemm_power if power else kernels
        groups = read_tables([path], kind.REQUIRED_COLUMNS, kind.SPEED_COLUMNS, power=power).groups
        found += groups if small and power else [group for group in map(usable, groups) if group is not None]
    return found


def metered(group: Group, family: amp.Architecture, idle_w: dict[str, float]) -> Any:
    """Return logarithms of what the meter reads over what it read; GPUs without idle power of their own have the others'."""
    others_w = float(np.mean(list(idle_w.values()))) if idle_w else group.key.device.idle_w
    device = group.key.device.replace(architecture=family, idle_w=idle_w.get(group.key.gpu, others_w))
    seconds, joules = predicted(group, device)
    return np.log(watts_read(group, device, joules / seconds) / group.watts)


def by_meter(
    family: amp.Architecture, idle_w: dict[str, float], groups: Sequence[Group]
) -> tuple[amp.Architecture, dict[str, float]]:
    """Return the family and the idle power of each GPU that the meter tells, by steps as long as any improves."""

    def loss(trial: amp.Architecture, trial_w: dict[str, float]) -> float:
        found: dict[str, list[Any]] = {}
        for group in groups:
            found.setdefault(group.key.gpu, []).append(metered(group, trial, trial_w))
        return float(np.mean([np.median(abs(np.concatenate(logs))) for logs in found.values()]))

    least, improved = loss(family, idle_w), True
    while improved:
        improved = False
        changes: list[tuple[amp.Architecture, dict[str, float]]] = []
        for sign in (1, -1):
            changes += [
                (family.replace(**{name: getattr(family, name) + sign * step}), idle_w)
                for name, step in BY_METER.items()
            ]
            changes += [(family, {**idle_w, gpu: idle_w[gpu] + sign * IDLE_STEP_W}) for gpu in idle_w]
        for trial, trial_w in changes:
            found = loss(trial, trial_w)
            if found < least - WORTH:
                family, idle_w, least, improved = trial, trial_w, found, True
                break
    return family, idle_w


def fitted(
    family: amp.Architecture, groups: Sequence[Group], small: Sequence[Group]
) -> tuple[amp.Architecture, dict[str, float]]:
    """Return the family fitted to groups, and if they have watts to all their rows by way of the meter."""
    idle_w = {group.key.gpu: group.key.device.idle_w for group in small}
    if not idle_w:
        return fit(family, groups, prior=WIDE)[0], idle_w
    for _ in range(2):
        family, _ = fit(family, [drawn(group) for group in groups], prior=WIDE, held=tuple(BY_METER))
        family, idle_w = by_meter(family, idle_w, small)
    return family, idle_w


def drawn(group: Group) -> Group:
    """Return the group with the watts that its kernels drew, by what the meter makes of those of the catalogue's family."""
    if group.watts is None:
        return group
    seconds, joules = predicted(group, group.key.device)
    own = joules / seconds
    return dataclasses.replace(group, watts=group.watts * own / watts_read(group, group.key.device, own))


def family_of(group: Group) -> str:
    return group.key.device.architecture.name


def is_fitted(group: Group) -> bool:
    return group.key.source in FITTED_SOURCES and group.key.gpu in FITTED_GPUS


def of_one_device(gpu: str) -> str:
    return gpu.removesuffix("-SXM") if gpu == "B200-SXM" else gpu


def statistics(logs: Any) -> str:
    e = np.expm1(logs)
    return (
        f"n {len(e):5d}  median |e| {np.median(abs(e)):6.1%}  mean |e| {np.mean(abs(e)):6.1%}  "
        f"p90 {np.quantile(abs(e), 0.9):6.1%}  bias {np.median(e):+6.1%}"
    )


def report(
    title: str, families: dict[str, amp.Architecture], groups: Iterable[Group], idle_w: dict[str, float]
) -> None:
    print(f"\n{title}")
    for group in groups:
        key = group.key
        name = f"  {key.source:15s} {key.gpu:15s} {key.kernel:9s} {key.precision:9s}"
        found = errors(group, families[family_of(group)])
        # Latencies of power rows are means over engines, whose slower products are no property of devices.
        if group.watts is None:
            print(f"{name} latency {statistics(found.seconds)}")
        else:
            print(f"{name} watts   {statistics(metered(group, families[family_of(group)], idle_w))}")


def stranger(names: Sequence[str], families: dict[str, amp.Architecture]) -> amp.Architecture:
    """Return what one expects of a family without measurements: the geometric mean of the others."""
    generic = amp.architecture("generic")
    means = {}
    for key, value in generic.to_dict().items():
        if isinstance(value, float) and value > 0:
            means[key] = float(np.exp(np.mean([np.log(getattr(families[name], key)) for name in names])))
    return generic.replace(**means)


def report_left_out(families: dict[str, amp.Architecture], groups: Sequence[Group], small: Sequence[Group]) -> None:
    """Each GPU predicted from its data sheet and a family that has never seen it."""
    seen = [group for group in groups if is_fitted(group)]
    for gpu in dict.fromkeys(of_one_device(group.key.gpu) for group in seen):
        mine = [group for group in seen if of_one_device(group.key.gpu) == gpu]
        name = family_of(mine[0])
        siblings = [group for group in seen if family_of(group) == name and of_one_device(group.key.gpu) != gpu]
        if siblings:
            all_sizes = [group for group in small if family_of(group) == name and of_one_device(group.key.gpu) != gpu]
            left, idle_w = fitted(amp.architecture("generic"), siblings, all_sizes)
            source = f"family fitted to {of_one_device(siblings[0].key.gpu)} only"
        else:
            left, idle_w = stranger([other for other in MEASURED if other != name], families), {}
            source = "mean of the other families"
        report(f"Left out: {gpu} ({source})", {name: left}, mine, idle_w)


def check() -> None:
    """C++ against the reference, on random shapes and unlike devices."""
    sys.path.insert(0, str(REFERENCE))
    import kernels as reference  # noqa: PLC0415

    rng, worst = np.random.default_rng(1), 0.0

    def compare(ours: amp.KernelCost, theirs: Any) -> None:
        nonlocal worst
        pairs = ((ours.seconds, theirs[0]), (ours.joules, theirs[1]))
        worst = max(worst, *(float(np.abs(a / b - 1).max()) for a, b in pairs))

    for name in ("v100-sxm2-32", "a100-sxm-80", "h20-sxm", "h100-pcie", "b200-sxm", "gb300", "mi300x", "tpu-v5p"):
        device = amp.accelerator(name)
        plain, family = device.to_dict(), device.architecture.to_dict()
        m, n, k = np.ceil(2 ** rng.uniform(0, 16, (3, 1000)))
        for precision in FORMATS:
            theirs = reference.gemm(plain, family, precision, (m, n, k, 1))
            compare(amp.gemm(device, m, n, k, precision=precision), theirs)
        length, heads, width = (np.ceil(2 ** rng.uniform(low, high, 1000)) for low, high in ((5, 16), (0, 7), (6, 8)))
        for backward in (False, True):
            shape = (1, length, length, heads, heads, width, width, 0.5)
            ours = amp.attention(device, length, heads=heads, head_dim=width, backward=backward)
            compare(ours, reference.attention(plain, family, shape, backward=backward))
    print(f"largest difference of C++ to the reference: {worst:.2%}")
    if worst > 0.005:
        sys.exit("the C++ kernels and tests/reference/kernels.py disagree")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", type=pathlib.Path, nargs="*")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--no-fit", action="store_true")
    arguments = parser.parse_args()
    if arguments.check:
        check()
        return
    groups = read(arguments.files)
    small = [group for group in read(arguments.files, small=True) if group.watts is not None]
    families = {name: amp.architecture(name) for name in amp.Catalogue.builtin().names("architecture")}
    idle_w: dict[str, float] = {}
    for name in MEASURED:
        mine = [group for group in groups if is_fitted(group) and family_of(group) == name]
        if mine and not arguments.no_fit:
            own = [group for group in small if family_of(group) == name]
            families[name], own_w = fitted(families[name], mine, own)
            idle_w |= own_w
            names = told_by(mine)
            print(f"{name}: " + ", ".join(f"{key} = {getattr(families[name], key):.3g}" for key in names))
            print("".join(f"{gpu}: idle_w = {value:.0f}\n" for gpu, value in own_w.items()), end="")
    idle_w = idle_w or {group.key.gpu: group.key.device.idle_w for group in small}
    report("Fitted families", families, filter(is_fitted, groups), idle_w)
    others = (group for group in groups if not is_fitted(group))
    report("Never fitted: other GPUs, other libraries", families, others, idle_w)
    if not arguments.no_fit:
        report_left_out(families, groups, small)


if __name__ == "__main__":
    main()
