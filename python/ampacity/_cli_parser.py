"""Words of the command line: commands, options, and what they take."""

from __future__ import annotations

import argparse

from ampacity._cli_words import Parser
from ampacity._core import __version__

LAYOUT_FLAGS = {
    "tp": "tensor-parallel degree",
    "pp": "pipeline stages",
    "vp": "virtual stages per pipeline stage (interleaving)",
    "cp": "context-parallel degree",
    "cp_kind": "ring, ring-unbalanced, all-gather or ulysses (default: the software's)",
    "ep": "expert-parallel degree",
    "etp": "tensor-parallel degree of routed experts",
    "dp": "data-parallel degree (default: gpus / (tp x pp x cp))",
    "micro_batch": "sequences per micro-batch and replica",
    "recompute": "none, selective, selective-op, modules or full",
    "recompute_modules": "what `modules` computes again: core_attn,layernorm,mlp,moe,moe_act,...",
    "recompute_layers": "how many layers of a stage recompute (default: all)",
    "offload_optimizer_fraction": "share of the optimizer state in host memory",
    "offload_activations_fraction": "share of the activations in host memory",
    "offload_weights_fraction": "share of the weights in host memory",
    "zero_stage": "ZeRO stage 0 to 3",
    "shard_group": "replicas that share one copy of the sharded state",
    "reshard_after_forward": "ZeRO 3: gather weights again for the backward pass (default: true)",
    "first_stage_layers": "layers of the first pipeline stage (default: as the others)",
    "last_stage_layers": "layers of the last pipeline stage (default: as the others)",
    "uneven_stages": "spread layers that do not divide over the first virtual stages",
    "front_stages": "first stages that share --front-layers one by one; the others share the rest",
    "front_layers": "layers of all front stages together",
    "balance": "a job over kinds of devices: slowest (default, equal shares), micro-batches or stages",
    "schedule": "1f1b (default), gpipe, zb-h1, zb-v, dualpipe or dualpipe-v",
}
_FLAG_NAMES = {"zero_stage": "--zero"}
_NAME_FLAGS = ("software", "precision", "recompute", "schedule", "cp_kind", "balance")
_LIST_FLAGS = ("recompute_modules", "lora_targets")
_SWITCHES = ("reshard_after_forward", "uneven_stages", "in_network_reduction", "frozen_weights")
JOB_FLAGS = {
    "global_batch": "sequences per step (default: as published)",
    "seq_len": "tokens per sequence (default: as published)",
    "tokens": "tokens of the whole run (default: as published)",
    "precision": "format of matrix products: bf16 (default), fp8, ...",
    "expert_imbalance": "deviation of tokens per expert over their mean (default: the model's; 0: forced balance)",
    "capacity_factor": "tokens that an expert takes over their mean (default: 0, none dropped)",
    "software": "training software of the catalogue (default: megatron-core)",
    "lora_rank": "train adapters of that rank beside frozen weights (LoRA; default: 0, all weights are trained)",
    "lora_targets": "what has adapters: linear_qkv,linear_proj,linear_fc1,linear_fc2 (default: all four)",
    "frozen_weights": "the model's weights are not trained (--lora-rank implies it)",
    "frozen_weight_bytes": "bytes of a stored frozen weight: 2 (default), 1, or 0.52 (NF4 of QLoRA)",
    "in_network_reduction": "all-reduces across nodes go through switches that reduce (SHARP)",
}


_OPERATIONS_HELP = "all_reduce, reduce_scatter, all_gather, broadcast, all_to_all, send_recv or token_exchange"
COLLECTIVE_FLAGS = {
    "gpus": "accelerators in the group (default: all of the cluster)",
    "stride": "distance in rank between neighbours of the group (default: 1)",
    "algorithm": "ring, tree, nvls, nvls-tree, collnet, pat, hierarchical, pairwise, pxn, ... (default: the fastest)",
    "protocol": "ll, ll128 or simple (default: the fastest)",
    "skew": "all_to_all: bytes of the busiest rank over those of the average one",
    "ranks_per_token": "token_exchange: ranks that a token goes to",
    "domains_per_token": "token_exchange: scale-up domains that these lie in",
}
_MEASURED_HELP = "measured kernels of that accelerator from the aiconfigurator database (extra: measured)"


def number_or_text(text: str) -> int | float | str:
    """Return what the user typed as the number it spells; the C++ core judges it."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


def _count(text: str) -> int:
    """Return a whole number that is not negative."""
    value = number_or_text(text)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or not 0 <= value < 2**63:
        raise argparse.ArgumentTypeError(f"must be a whole number, at least 0, not {text!r}")
    return value


def _share(text: str) -> float:
    """Return a share that is given as a number or in percent; the core judges its range."""
    try:
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a share such as 1% or 0.01, not {text!r}") from None


def _names(text: str) -> list[str]:
    """Return names that commas part."""
    return [name.strip() for name in text.split(",") if name.strip()]


def _add_flags(parser: argparse.ArgumentParser, title: str, flags: dict[str, str]) -> None:
    group = parser.add_argument_group(title)
    for key, text in flags.items():
        if key in _SWITCHES:
            flag = "--" + key.replace("_", "-")
            group.add_argument(flag, dest=key, action=argparse.BooleanOptionalAction, default=None, help=text)
            continue
        if key in _LIST_FLAGS:
            flag = "--" + key.replace("_", "-")
            group.add_argument(flag, dest=key, type=_names, metavar="NAME,NAME", help=text)
            continue
        metavar = "NAME" if key in _NAME_FLAGS else "N"
        kind = str if metavar == "NAME" else number_or_text
        flag = _FLAG_NAMES.get(key, "--" + key.replace("_", "-"))
        group.add_argument(flag, dest=key, type=kind, metavar=metavar, help=text)


def _add_devices(simulate: argparse.ArgumentParser) -> None:
    """Add what a simulation is told of its devices and steps."""
    simulate.add_argument("--seed", type=_count, default=0, metavar="N", help="of all random draws (default 0)")
    simulate.add_argument(
        "--variability",
        default="typical",
        metavar="NAME",
        help="how devices differ: typical (default), none, or a .csv file of telemetry",
    )
    simulate.add_argument("--cap-w", type=float, metavar="W", help="power limit of every accelerator (W)")
    simulate.add_argument(
        "--steps",
        type=_count,
        default=1,
        metavar="N",
        help="steps one after the other (default 1); dies warm up or cool",
    )
    simulate.add_argument("--warm-up", action="store_true", help="start with idle dies")


def make_parser() -> Parser:
    """Return the parser of all commands."""
    from ampacity._validation import KINDS

    parser = Parser(
        prog="ampacity", description="Predicts speed, network and power of AI superclusters.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"ampacity {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    parser.commands = commands

    estimate = commands.add_parser(
        "estimate",
        help="how fast a model trains on a cluster, what it draws and costs",
        description="Flags fix parts of the layout; whatever they leave open is searched for the most tokens a second.",
        allow_abbrev=False,
    )
    _add_question(estimate)
    estimate.add_argument(
        "--explain", action="store_true", help="what bounds the step, what would help most, how well founded that is"
    )
    _add_common(estimate)

    simulate = commands.add_parser(
        "simulate",
        help="one step with every accelerator an individual",
        description="Flags fix parts of the layout; whatever they leave open is searched for the most tokens a second.",
        allow_abbrev=False,
    )
    _add_question(simulate)
    _add_devices(simulate)
    simulate.add_argument(
        "--threads", type=_count, default=1, metavar="N", help="threads that share the work (default 1; 0: all cores)"
    )
    simulate.add_argument(
        "--fail-links", type=_share, metavar="SHARE", help="cables of the highest tier that fail at random: 1%% or 0.01"
    )
    simulate.add_argument(
        "--out",
        metavar="DIR",
        help="also write summary.json, the columns of devices, replicas, power (1 ms), stages and racks, a trace of the "
        "critical replica for ui.perfetto.dev, and pictures where matplotlib is installed",
    )
    simulate.add_argument(
        "--columns", choices=("npz", "csv", "parquet"), default="npz", help="format of the columns (default npz)"
    )
    simulate.add_argument("--no-pictures", action="store_true", help="write no pictures")
    _add_common(simulate)

    _add_power(commands)

    listing = commands.add_parser(
        "list",
        help="what the catalogue has, with sources",
        description="Prints kinds, names, or one entry.",
        allow_abbrev=False,
    )
    listing.add_argument("kind", nargs="?", metavar="KIND", help="clusters, models, accelerators, ...")
    listing.add_argument("name", nargs="?", metavar="NAME", help="one entry: every value, unit, source")
    _add_common(listing)

    network = commands.add_parser(
        "network",
        help="switches, cables and bandwidth of a cluster's network, and what failed cables cost",
        description="Prints tiers, bill of materials, bisection, and what hashing leaves of the line rate. With --fail-links: "
        "the same traffic before and after a share of a tier's cables fails.",
        allow_abbrev=False,
    )
    network.add_argument("cluster", metavar="CLUSTER", help="catalogue name or .toml file")
    network.add_argument(
        "--seed", type=_count, default=0, metavar="N", help="of the permutation and the hashes (default 0)"
    )
    _add_failure_flags(network)
    _add_common(network)

    _add_site(commands.add_parser("site", help="power of a site from its devices to the grid", allow_abbrev=False))

    _add_collective(commands)

    validate = commands.add_parser(
        "validate",
        help="predictions beside measurements",
        allow_abbrev=False,
        description="Predicts what was measured and prints the error of every row and source.",
    )
    validate.add_argument("--kind", default="training", metavar="KIND", help=f"what to validate: {', '.join(KINDS)}")
    validate.add_argument(
        "--data", action="append", nargs="+", metavar="FILE.csv", help="measurements (default: the built-in scoreboard)"
    )
    validate.add_argument("--measured", action="append", default=[], metavar="NAME", help=_MEASURED_HELP)
    validate.add_argument("--plot", metavar="FILE.png", help="also draw predicted against measured (.png, .svg, .pdf)")
    validate.add_argument("--json", action="store_true", help="print one JSON object")

    calibrate = commands.add_parser(
        "calibrate",
        help="device parameters fitted to your own measured kernels",
        allow_abbrev=False,
        description="Fits device families to measured matrix products and attention, and writes a catalogue file for "
        "`--catalogue`. Columns: kernel, gpu, dtype, m, n, k, latency_ms (with power_w also watts).",
    )
    calibrate.add_argument("data", nargs="*", metavar="FILE.csv", help="measurements")
    calibrate.add_argument("--measured", action="append", default=[], metavar="NAME", help=_MEASURED_HELP)
    calibrate.add_argument("--accelerator", metavar="NAME", help="what was measured (default: as the column gpu says)")
    calibrate.add_argument("--out", metavar="FILE.toml", help="file to write (default: print it)")
    _add_common(calibrate)
    parser.add_examples()
    return parser


def _add_site(site: argparse.ArgumentParser) -> None:
    site.description = (
        "Works the site's plant (conversion, cooling, breakers) through every hour of a year: power tree, PUE, water, "
        "carbon, overloaded breakers."
    )
    site.add_argument("cluster", metavar="CLUSTER", help="catalogue name or .toml file")
    site.add_argument(
        "--weather", metavar="FILE.csv", help="measured hours: dry_bulb_c and wet_bulb_c or relative_humidity, time"
    )
    site.add_argument("--plant", metavar="NAME", help="another plant than the site's")
    site.add_argument("--climate", metavar="NAME", help="another climate than the site's")
    site.add_argument(
        "--load", type=_share, default=0.85, metavar="SHARE", help="mean power of accelerators over their limit (0.85)"
    )
    site.add_argument("--cap", type=float, metavar="WATTS", help="power cap of every accelerator (default: its limit)")
    site.add_argument("--hours", action="store_true", help="also a line a month; with --json every hour")
    _add_common(site)


def _add_question(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="catalogue name or .toml file")
    parser.add_argument("--on", required=True, dest="cluster", metavar="CLUSTER", help="catalogue name or .toml file")
    parser.add_argument(
        "--gpus", type=number_or_text, metavar="N", help="accelerators to use (default: all of the cluster)"
    )
    _add_flags(parser, "layout", LAYOUT_FLAGS)
    _add_flags(parser, "job", JOB_FLAGS)
    parser.add_argument(
        "--kernels",
        metavar="measured|FILE.csv",
        help="correct kernels by measured ones: the aiconfigurator database (extra: measured), or your own table",
    )


def _add_power(commands: argparse._SubParsersAction[Parser]) -> None:
    power = commands.add_parser(
        "power",
        help="what a job draws from phase to phase and over hours, and what its grid says of that",
        description="Nameplate, peak and mean apart; swings, frequencies and ramps of the load; with --contract whether "
        "its limits hold, with --seek what would make them hold. Flags fix parts of the layout; the rest is searched.",
        allow_abbrev=False,
    )
    _add_question(power)
    group = power.add_argument_group("load")
    group.add_argument("--duration", type=float, default=3600.0, metavar="S", help="seconds to run (default 3600)")
    group.add_argument("--seed", type=_count, default=0, metavar="N", help="of steps and failures (default 0)")
    group.add_argument(
        "--variability",
        default="none",
        metavar="NAME",
        help="accelerators all alike (none, default), or each with its own speed and jitter (typical)",
    )
    group.add_argument("--contract", metavar="FILE.toml", help="limits of the grid: maximum_w, ramp_w_per_s, ...")
    group.add_argument("--seek", action="store_true", help="where it is broken, look for what would meet it")
    group.add_argument(
        "--mitigate",
        action="append",
        nargs="+",
        default=[],
        metavar="KIND:VALUE",
        help="floor:0.8, filler:0.6, shelf, battery:50e6,hours=2, storage:..., curtailment:..., cap:600",
    )
    group.add_argument(
        "--profile", metavar="NAME", help="power profile of the catalogue (list power_profiles): max-q, ..."
    )
    group.add_argument("--breakers", action="store_true", help="also what racks, row panels and boards see")
    group.add_argument(
        "--oversubscribe",
        type=float,
        metavar="SHARE",
        help="also the risk of passing ratings with so many more racks than they allow: 0.3 (0 = none)",
    )
    group.add_argument(
        "--jobs", type=_count, metavar="N", help="such jobs that the site runs side by side, for that risk"
    )
    group.add_argument("--plot", metavar="FILE.png", help="also draw step, load, spectrum, duration curve, power tree")
    group.add_argument("--out", metavar="FILE", help="also write the load, a row a second (.csv, .npy, .parquet)")
    money = power.add_argument_group("prices")
    money.add_argument(
        "--tariff", metavar="FILE.toml", help="energy_usd_per_kwh, demand_usd_per_kw_month, contracted_w, ..."
    )
    money.add_argument("--energy-usd-per-kwh", type=float, metavar="USD", help="price of energy (default: the site's)")
    money.add_argument(
        "--demand-usd-per-kw-month",
        type=float,
        metavar="USD",
        help="price of the month's highest 15 minutes (default: none)",
    )
    cap = power.add_argument_group(
        "best cap", "Instead of a load: which cap, layout and precision do most under a site's power."
    )
    cap.add_argument("--best-cap", action="store_true", help="look for it")
    cap.add_argument("--site-mw", type=float, metavar="MW", help="power of the site (default: what the grid grants it)")
    cap.add_argument(
        "--objective",
        default="tokens_per_s",
        metavar="NAME",
        help="tokens_per_s (default), tokens_per_j or tokens_per_usd",
    )
    cap.add_argument(
        "--provision", default="peak", metavar="NAME", help="what each accelerator is given: its peak (default) or mean"
    )
    cap.add_argument("--precisions", nargs="+", default=[], metavar="NAME", help="to choose from (default: the job's)")
    cap.add_argument(
        "--layouts", type=_count, default=5, metavar="N", help="fastest layouts to choose from (default 5)"
    )
    _add_common(power)


def _add_collective(commands: argparse._SubParsersAction[Parser]) -> None:
    collective = commands.add_parser(
        "collective",
        help="what one collective takes, with which algorithm, and why",
        description="Predicts one collective of one group, alone on the network; several sizes give a table.",
        allow_abbrev=False,
    )
    collective.add_argument("operation", metavar="OPERATION", help=_OPERATIONS_HELP)
    collective.add_argument(
        "--on", required=True, dest="cluster", metavar="CLUSTER", help="catalogue name or .toml file"
    )
    collective.add_argument(
        "--size",
        required=True,
        action="append",
        nargs="+",
        metavar="SIZE",
        help="of the buffer of one rank: 1GiB, 64MB, ...",
    )
    for flag, text in COLLECTIVE_FLAGS.items():
        kind = str if flag in ("algorithm", "protocol") else number_or_text
        name = "--" + flag.replace("_", "-")
        collective.add_argument(name, dest=flag, type=kind, metavar="NAME" if kind is str else "N", help=text)
    collective.add_argument("--flows", action="store_true", help="also as flows on the links of the cluster's network")
    collective.add_argument(
        "--routing",
        metavar="NAME",
        help="of the flows: d-mod-k, ecmp, flowlet, adaptive or spray (default: the fabric's)",
    )
    collective.add_argument("--queue-pairs", type=_count, metavar="N", help="of the flows (default: the fabric's)")
    _add_common(collective)


def _add_failure_flags(network: argparse.ArgumentParser) -> None:
    group = network.add_argument_group("failures")
    group.add_argument("--fail-links", type=_share, metavar="SHARE", help="cables that fail at random: 1%% or 0.01")
    group.add_argument(
        "--tier", default="spine", metavar="TIER", help="whose cables: spine (default), leaf, a name or number"
    )
    group.add_argument("--model", metavar="MODEL", help="also what a training step of it takes, in its fastest layout")
    group.add_argument(
        "--plot", metavar="FILE.png", help="also draw ranks and links before and after (.png, .svg, .pdf)"
    )
    group.add_argument(
        "--threads", type=_count, default=1, metavar="N", help="patterns at a time (default 1; same results)"
    )


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--catalogue", action="append", default=[], metavar="PATH", help="TOML file or directory with own documents"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
