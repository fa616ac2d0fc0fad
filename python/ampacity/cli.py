"""The command line: ``ampacity estimate | simulate | power | site | list | network | collective | validate | calibrate``.

Exit status 0 is an answer, 2 a mistake in what was asked (named on stderr), 1 a fault of Ampacity (set
``AMPACITY_TRACEBACK`` to see where).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from ampacity._cli_parser import COLLECTIVE_FLAGS, JOB_FLAGS, LAYOUT_FLAGS, make_parser, number_or_text
from ampacity._core import Catalogue, Error, InvalidSpec, Problem
from ampacity._plotting import check_picture

if TYPE_CHECKING:
    from ampacity._measured import MeasuredKernels


def _print_json(value: object) -> None:
    import json

    print(json.dumps(value, indent=2, allow_nan=False))


def _catalogue(paths: Sequence[str]) -> Catalogue:
    from ampacity._files import load_catalogue

    return load_catalogue(*paths) if paths else Catalogue.builtin()


def _question(options: argparse.Namespace, catalogue: Catalogue) -> dict[str, Any]:
    """Return what the command line asks, as arguments of `_ask.find` and `_ask.ask`."""
    given = {key: value for key, value in vars(options).items() if value is not None}
    return {
        "model": given["model"],
        "cluster": given["cluster"],
        "catalogue": catalogue,
        "accelerators": given.get("gpus"),
        "layout": {key: given[key] for key in LAYOUT_FLAGS if key in given},
        "job": {key: given[key] for key in JOB_FLAGS if key in given},
        "kernels": given.get("kernels"),
    }


def _estimate(options: argparse.Namespace) -> None:
    from ampacity._ask import ask

    catalogue = _catalogue(options.catalogue)
    result = ask(**_question(options, catalogue))
    why = result.explain(catalogue=catalogue) if options.explain else None
    if options.json:
        _print_json(result.to_dict() | ({} if why is None else {"explain": why.to_dict()}))
        return
    from ampacity._explain import text
    from ampacity._report import report

    ascii_only = not _can_print("█")
    print(report(result, ascii_only=ascii_only, time=why is None))
    if why is not None:
        print("\n" + text(why, ascii_only=ascii_only, head=False))


def _simulate(options: argparse.Namespace) -> None:
    from ampacity import _simulate_files, _simulate_report
    from ampacity._ask import find
    from ampacity._links import NetworkHealth
    from ampacity._progress import ProgressBar
    from ampacity._simulate import simulate

    job, cluster, result = find(**_question(options, _catalogue(options.catalogue)))
    if result.global_batch != job.global_batch:
        job = job.replace(global_batch=result.global_batch)
    given = {"seed": options.seed, "variability": options.variability, "threads": options.threads}
    if options.fail_links is not None:
        given["network_health"] = NetworkHealth(failed_fraction=options.fail_links)
    given |= {"cap_w": options.cap_w, "steps": options.steps, "warm_up": options.warm_up}
    with ProgressBar(f"simulating {result.layout.accelerators:,} devices") as progress:
        sim = simulate(job, cluster, result.layout, progress=progress, **given)
    if options.out is not None:
        _simulate_files.write_folder(
            sim, options.out, sim.to_dict(), columns=options.columns, pictures=not options.no_pictures
        )
    if options.json:
        _print_json(sim.to_dict())
    else:
        print(_simulate_report.report(sim, ascii_only=not _can_print("█")))


def _power(options: argparse.Namespace) -> None:
    from ampacity._ask import find
    from ampacity.power.command import run
    from ampacity.power.report import text

    if options.best_cap:
        _best_cap(options)
        return
    job, cluster, result = find(**_question(options, _catalogue(options.catalogue)))
    if result.global_batch != job.global_batch:
        job = job.replace(global_batch=result.global_batch)
    report = run(
        job,
        cluster,
        result,
        words=[words for group in options.mitigate for words in group],
        contract=options.contract,
        duration_s=options.duration,
        seed=options.seed,
        seek=options.seek,
        breakers=options.breakers,
        variability=options.variability,
        profile=options.profile,
        prices={
            "path": options.tariff,
            "energy_usd_per_kwh": options.energy_usd_per_kwh,
            "demand_usd_per_kw_month": options.demand_usd_per_kw_month,
        },
        oversubscribe=options.oversubscribe,
        jobs=options.jobs,
    )
    if options.plot is not None:
        from ampacity.power.plots import plot_power

        plot_power(report, options.plot)
    if options.out is not None:
        report.load.write(options.out, options.duration)
    if options.json:
        _print_json(report.to_dict())
    else:
        print(text(report))


def _best_cap(options: argparse.Namespace) -> None:
    from ampacity._ask import find_many
    from ampacity.power.command import run_best_cap
    from ampacity.power.decision import decision_text

    job, cluster, layouts = find_many(options.layouts, **_question(options, _catalogue(options.catalogue)))
    found = run_best_cap(
        job,
        cluster,
        layouts,
        site_mw=options.site_mw,
        objective=options.objective,
        provision=options.provision,
        precisions=options.precisions,
    )
    if options.json:
        _print_json(found.to_dict())
    else:
        print(decision_text(found))


def _list(options: argparse.Namespace) -> None:
    from ampacity import _listing

    catalogue = _catalogue(options.catalogue)
    if options.json:
        _print_json(_listing.listing_object(catalogue, options.kind, options.name))
    else:
        print(_listing.listing(catalogue, options.kind, options.name))


def _network(options: argparse.Namespace) -> None:
    from ampacity._lookup import cluster
    from ampacity._network_report import network_object, network_text

    if options.fail_links is not None:
        _fail_links(options)
        return
    found = network_object(cluster(options.cluster, catalogue=_catalogue(options.catalogue)), options.seed)
    if options.json:
        _print_json(found)
    else:
        print(network_text(found))


def _site(options: argparse.Namespace) -> None:
    from ampacity import _lookup
    from ampacity._site_power import site_power
    from ampacity._site_report import site_text
    from ampacity._weather import read_weather

    catalogue = _catalogue(options.catalogue)
    cluster = _lookup.cluster(options.cluster, catalogue=catalogue)
    changes: dict[str, Any] = {}
    if options.plant is not None:
        changes["plant"] = _lookup.plant(options.plant, catalogue=catalogue)
    if options.climate is not None:
        changes["climate"] = _lookup.climate(options.climate, catalogue=catalogue)
    if changes:
        cluster = cluster.replace(site=cluster.site.replace(**changes))
    weather = None
    if options.weather is not None:
        weather = read_weather(options.weather, elevation_m=cluster.site.climate.elevation_m)
    found = site_power(cluster, load_fraction=options.load, device_limit_w=options.cap, weather=weather)
    if options.json:
        _print_json(found.to_dict(hours=options.hours))
    else:
        print(site_text(found, hours=options.hours))


def _collective(options: argparse.Namespace) -> None:
    from ampacity._collective import collective_text, collectives

    sizes = [number_or_text(size) for group in options.size for size in group]
    fields = {"operation": options.operation, **{key: getattr(options, key) for key in COLLECTIVE_FLAGS}}
    catalogue = _catalogue(options.catalogue)
    found = collectives(options.cluster, sizes, fields, catalogue=catalogue)
    flows = []
    if options.flows:
        from ampacity import _lookup
        from ampacity._collective_links import links_text, on_links

        cluster = _lookup.cluster(options.cluster, catalogue=catalogue)
        rules = {key: getattr(options, key) for key in ("routing", "queue_pairs", "skew")}
        flows = [on_links(one, cluster, **rules) for one in found]
    if options.json:
        answer: dict[str, Any] = {"cluster": options.cluster, "collectives": [one.to_dict() for one in found]}
        _print_json(answer | ({"flows": [one.to_dict() for one in flows]} if flows else {}))
        return
    print(collective_text(found, options.cluster))
    if flows:
        print(links_text(flows))


def _fail_links(options: argparse.Namespace) -> None:
    from ampacity import _lookup
    from ampacity._ask import ask
    from ampacity._core import Training
    from ampacity._failure_report import failure_text, plot_failures
    from ampacity._failure_study import fail_links

    catalogue = _catalogue(options.catalogue)
    job, layout = None, None
    if options.model is not None:
        fastest = ask(options.model, options.cluster, catalogue=catalogue, layout={}, job={})
        job = Training(_lookup.model(options.model, catalogue=catalogue), global_batch=fastest.global_batch)
        layout = fastest.layout
    study = fail_links(
        _lookup.cluster(options.cluster, catalogue=catalogue),
        options.fail_links,
        tier=options.tier,
        seed=options.seed,
        job=job,
        layout=layout,
        threads=options.threads,
    )
    if options.plot is not None:
        plot_failures(study, options.plot)
    if options.json:
        _print_json(study.to_dict())
    else:
        print(failure_text(study))


def _validate(options: argparse.Namespace) -> None:
    from ampacity._validation import validate

    files = None if options.data is None else [path for paths in options.data for path in paths]
    measured = _measured(options.measured)
    data = files if not measured else [*(files or []), *measured]
    result = validate(options.kind, data)
    if options.plot is not None:
        from ampacity._validation_plot import plot_validation

        plot_validation(result, options.plot)
    if options.json:
        _print_json(result.to_dict())
    else:
        from ampacity._validation_text import validation_text

        print(validation_text(result))


def _measured(names: Sequence[str]) -> list[MeasuredKernels]:
    from ampacity._measured import measured_kernels

    return [measured_kernels(name) for name in names]


def _calibrate(options: argparse.Namespace) -> None:
    from ampacity._calibrate.calibration import calibrate, calibration_text

    data = [*options.data, *_measured(options.measured)]
    result = calibrate(data, accelerator=options.accelerator, catalogue=_catalogue(options.catalogue))
    if options.out is not None:
        result.save(options.out)
    if options.json:
        _print_json(result.to_dict())
    else:
        print(result.to_toml() if options.out is None else calibration_text(result), end="")


def _can_print(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _fail(error: Error) -> NoReturn:
    problems: Sequence[Problem | Error] = error.problems if isinstance(error, InvalidSpec) else [error]
    text = "\n  ".join(str(problem) for problem in problems)
    lead = "error: " if len(problems) == 1 else f"error: {len(problems)} problems:\n  "
    sys.stderr.write(f"ampacity: {lead}{text}\n")
    sys.exit(2)


def _run(arguments: Sequence[str] | None) -> None:
    options = make_parser().read(arguments)
    if getattr(options, "plot", None) is not None:
        check_picture(options.plot)  # before minutes of work that it could not show
    commands: dict[str, Any] = {
        "estimate": _estimate,
        "simulate": _simulate,
        "power": _power,
        "list": _list,
        "network": _network,
        "site": _site,
        "collective": _collective,
        "validate": _validate,
        "calibrate": _calibrate,
    }
    commands[options.command](options)
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status, or exits with 2 on a mistake in what was asked."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        _run(arguments)
    except Error as error:
        _fail(error)
    except BrokenPipeError:
        # The reader has seen enough (`| head`); nothing is left to say, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if os.environ.get("AMPACITY_TRACEBACK"):
            raise
        sys.stderr.write(f"ampacity: internal error, please report it: {type(error).__name__}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
