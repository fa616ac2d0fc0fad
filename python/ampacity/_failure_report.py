"""A study of failed cables as a page and as a picture."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ampacity._failure_job import JobStudy
from ampacity._failure_study import FailureStudy, PatternStudy
from ampacity._plotting import check_format, new_figure, save
from ampacity._report import figure

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def failure_text(study: FailureStudy) -> str:
    """Return the page."""
    share = study.failed / study.cables if study.cables else 0.0
    cut = f"{len(study.cut_off):,} endpoints cut off" if study.cut_off else "no endpoint is cut off"
    failed = f"{study.failed:,} of {study.cables:,} cables '{study.tier.name}' fail ({share:.2%}, seed {study.seed})"
    lines = [
        f"{study.cluster}: {failed}; {cut}",
        f"every rank sends {figure(study.rank_bytes / 1e6)} MB; routing {study.routing}, {study.queue_pairs} queue pairs",
        "",
        f"{'traffic':<12}{'':<8}{'step':>10}{'slowest rank':>14}{'its GB/s':>10}{'mean GB/s':>11}",
    ]
    for pattern in study.patterns:
        for when, found in (("before", pattern.before), ("after", pattern.after)):
            lines.append(
                f"{pattern.name if when == 'before' else '':<12}{when:<8}{figure(1e3 * found.step_s) + ' ms':>10}"
                f"{found.slowest_rank:>14,}{figure(found.slowest_bytes_per_s / 1e9):>10}"
                f"{figure(found.mean_bytes_per_s / 1e9):>11}"
            )
        lines.append(f"{'':<12}{_meaning(pattern)}")
    lines += ["", f"{'share of the step that links are busy':<40}{'median':>8}{'90 %':>8}{'99 %':>8}{'most':>8}"]
    for pattern in study.patterns:
        for tier in pattern.before.utilisation:
            for when, found in (("before", pattern.before), ("after", pattern.after)):
                name = f"{pattern.name}, {tier}" if when == "before" else ""
                values = "".join(f"{value:>8.1%}" for value in found.utilisation[tier])
                lines.append(f"{name:<33}{when:<7}{values}")
    if study.job is not None:
        lines += _job_lines(study.job)
    if study.estimates is not None:
        lines += ["", "training step, with the fabric's efficiency scaled by what the slowest rank has left:"]
        first = study.estimates["before"].step_time_s
        for name, est in study.estimates.items():
            lines.append(f"  {name:<38}{figure(est.step_time_s)} s ({est.step_time_s / first - 1:+.2%})")
        for pattern in study.patterns:
            if pattern.after.ranks_cut_off:
                name = f"after, all traffic as {pattern.name}"
                lines.append(f"  {name:<38}never ends: {pattern.after.ranks_cut_off:,} ranks cannot send")
    return "\n".join(lines)


def _meaning(pattern: PatternStudy) -> str:
    if pattern.bandwidth_ratio == 0:
        return f"{pattern.meaning}: nobody can send any more"
    text = f"{pattern.meaning}: {1 / pattern.bandwidth_ratio - 1:+.1%} time, {pattern.flows_affected:,} flows have another path or rate"
    lost = pattern.after.ranks_cut_off
    return text + (f"; {lost:,} ranks cannot send: times and rates are those of the others" if lost else "")


def _job_lines(job: JobStudy) -> list[str]:
    states = [("before", job.before)] + ([] if job.after is None else [("after", job.after)])
    lines = ["", "training step, the collectives of all its groups on the links:"]
    lines.append(
        f"{'':<12}{'step':>12}{'exposed communication':>23}{'waits for the network: mean':>29}{'most':>10}{'by rank':>9}"
    )
    for when, found in states:
        lines.append(
            f"  {when:<10}{figure(found.step_time_s) + ' s':>12}{figure(1e3 * found.communication_s) + ' ms':>23}"
            f"{figure(1e3 * found.rank_s.mean()) + ' ms':>29}{figure(1e3 * found.rank_s.max()) + ' ms':>10}"
            f"{found.slowest_rank:>9,}"
        )
    if job.after is None:
        return [*lines, f"  after: it cannot run: {job.reason}"]
    lines.append(
        f"  {job.after.step_time_s / job.before.step_time_s - 1:+.2%} time; share of the step that links are busy:"
    )
    for tier in job.before.utilisation:
        for when, found in states:
            values = "".join(f"{value:>8.2%}" for value in found.utilisation.get(tier, ()))
            lines.append(f"  {tier if when == 'before' else '':<31}{when:<7}{values}")
    return lines


def _steps(values: npt.NDArray[np.float64]) -> tuple[Any, Any]:
    import numpy as np

    return np.sort(values), np.arange(1, values.size + 1) / values.size


def _draw(axes: Any, pattern: PatternStudy, tier: str) -> None:
    import numpy as np

    for when, found, style in (("before", pattern.before, "-"), ("after", pattern.after, "--")):
        times, share = _steps(1e3 * found.rank_s[np.isfinite(found.rank_s)])
        axes[0].plot(times, share, style, label=when)
        busy, share = _steps(found.link_utilisation[tier])
        axes[1].plot(busy, share, style, label=when)
    axes[0].set(xlabel="a rank has sent all after (ms)", ylabel="share of ranks", title=f"{pattern.name}: ranks")
    axes[1].set(xlabel="share of the step that it is busy", ylabel="share of links", title=f"{pattern.name}: {tier}")
    for each in axes:
        each.grid(visible=True, linewidth=0.3)
        each.legend(frameon=False)


def _draw_job(axes: Any, job: JobStudy, tier: str) -> None:
    for when, found, style in (("before", job.before, "-"), ("after", job.after, "--")):
        if found is None:
            continue
        axes[0].plot(*_steps(1e3 * found.rank_s), style, label=when)
        if tier in found.link_utilisation:
            axes[1].plot(*_steps(found.link_utilisation[tier]), style, label=when)
    axes[0].set(xlabel="a rank waits for the network (ms)", ylabel="share of ranks", title="the job: ranks")
    axes[1].set(xlabel="share of the step that it is busy", ylabel="share of links", title=f"the job: {tier}")
    for each in axes:
        each.grid(visible=True, linewidth=0.3)
        each.legend(frameon=False)


def plot_failures(study: FailureStudy, path: str | os.PathLike[str]) -> None:
    """Draw when ranks are done and how busy the links of the tier are, before and after.

    Parameters
    ----------
    study
        From `fail_links`.
    path
        File to write: .png, .svg or .pdf.

    Raises
    ------
    InvalidSpec
        Another kind of file, a place that cannot be written, or no matplotlib (extra ``plot``).
    """
    check_format(path)
    rows = len(study.patterns) + (study.job is not None)
    picture = new_figure(10, 4 * rows)
    axes = picture.subplots(rows, 2, squeeze=False)
    for row, pattern in zip(axes, study.patterns, strict=False):
        _draw(row, pattern, study.tier.name)
    if study.job is not None:
        _draw_job(axes[-1], study.job, study.tier.name)
    picture.suptitle(f"{study.cluster}: {study.failed:,} of {study.cables:,} cables '{study.tier.name}' fail")
    save(picture, path)
