"""Fit the network's parameters to measured collectives, and print how far off the closed forms are.

    python3 tools/fit_collectives.py             # the scoreboard's own table
    python3 tools/fit_collectives.py FILE.csv    # other tables with its columns
    python3 tools/fit_collectives.py --no-fit    # errors of the parameters below only

Compiles cpp/src/network/collectives.cpp itself (c++ on the path), so that nothing is modelled twice. Standard library
only. A parameter belongs to a generation of scale-up links or to one fabric, never to one row; sources weigh equally. What
NCCL does across nodes is taken from its own tuning table and not fitted. Rows whose hardware their source does not name
are left out.

Then it fits again without the rows of 16 GPUs, without those of 32, and without both, from starting values that know
nothing of them, and prints how much further off the left-out rows are than with everything fitted.
"""

import argparse
import copy
import csv
import ctypes
import math
import os
import pathlib
import statistics
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
SCOREBOARD = ROOT / "python" / "ampacity" / "data" / "scoreboard" / "collectives.csv"
KINDS = {"all_reduce": 0, "all_gather": 1, "reduce_scatter": 2, "alltoall": 3}
WRAPPER = r"""
#include "base/statistics.cpp"
#include "network/contention.cpp"
#include "network/shape.cpp"
#include "network/collectives.cpp"
using namespace ampacity::network;
extern "C" double amp_time(int kind, double up, double up_latency, double multicast, double launch, double out,
                           double out_fraction, double out_latency, long domain, int topology, long ranks, long stride,
                           double bytes) {
  Links links;
  links.scaleup_bytes_per_s = up;
  links.scaleup_latency_s = up_latency;
  links.scaleup_multicast_bytes_per_s = multicast;
  links.launch_s = launch;
  links.scaleout_bytes_per_s = out * out_fraction;
  links.scaleout_fraction = out_fraction;
  links.scaleout_latency_s = out_latency;
  links.scaleup_domain = domain;
  links.scaleup_topology = static_cast<ampacity::ScaleupTopology>(topology);
  const Group group{ranks, stride};
  switch (kind) {
    case 0: return all_reduce_s(links, group, bytes);
    case 1: return all_gather_s(links, group, bytes);
    case 2: return reduce_scatter_s(links, group, bytes);
    default: return all_to_all_s(links, group, bytes);
  }
}
"""

# Scale-up line rate per direction and device (data sheets), then what is fitted: the fields of a node.
NODES = {
    "A100": {
        "line": 300e9,
        "domain": 8,
        "topology": 0,
        "efficiency": 0.78,
        "multicast": 0.0,
        "latency": 1.56e-06,
        "launch": 7.4e-06,
    },
    "H100": {
        "line": 450e9,
        "domain": 8,
        "topology": 0,
        "efficiency": 0.826,
        "multicast": 0.613,
        "latency": 8.1e-07,
        "launch": 4.7e-06,
    },
    "B200": {
        "line": 900e9,
        "domain": 8,
        "topology": 0,
        "efficiency": 0.73,
        "multicast": 0.468,
        "latency": 1.25e-06,
        "launch": 7.6e-06,
    },
    "GB200": {
        "line": 900e9,
        "domain": 72,
        "topology": 0,
        "efficiency": 0.74,
        "multicast": 0.497,
        "latency": 1.22e-06,
        "launch": 8.1e-06,
    },
    "MI300X": {
        "line": 448e9,
        "domain": 8,
        "topology": 1,
        "efficiency": 0.71,
        "multicast": 0.0,
        "latency": 1.2e-6,
        "launch": 10e-6,
    },
}
# NIC line rate per device, share that collectives reach, hop of Simple.
FABRICS = {
    "none": {"line": 1e9, "efficiency": 1.0, "latency": 14e-6},
    "azure-nd-a100-v4": {"line": 25e9, "efficiency": 0.64, "latency": 28e-6},
    "efa-p4d": {"line": 6.25e9, "efficiency": 0.64, "latency": 37e-6},
    "a100-4x200-hdr": {"line": 12.5e9, "efficiency": 0.95, "latency": 14e-6},
    "a100-8x200-hdr": {"line": 25e9, "efficiency": 0.97, "latency": 14e-6},
}
FITTED_NODE = ("efficiency", "multicast", "latency", "launch")
FITTED_FABRIC = ("efficiency", "latency")
FABRIC_NEUTRAL = {"efficiency": 0.93, "latency": 14e-6}  # as fabrics of the catalogue that nobody has measured
# Not fitted: a 200 Gb/s card that NCCL takes to hang on the processor and not on a GPU's PCIe switch, as guests without a
# topology file see it, reaches 16 of its 25 GB/s (a maintainer in NVIDIA/nccl issue 412); 1 KiB takes 35.85 us on two other
# such nodes (MSCCL++, NDmv4 performance), which is a hop of 28 us.
PUBLISHED = {("azure-nd-a100-v4", "efficiency"), ("azure-nd-a100-v4", "latency")}


def platform(row):
    """Node and fabric of a row, or None where the row cannot be predicted."""
    gpu, fabric = row["gpu"], row["fabric"]
    node = next((n for n in ("GB200", "B200", "H100", "A100", "MI300X") if gpu.startswith(n)), None)
    if node is None or "no NVLS" in fabric:
        return None
    if int(row["n_nodes"]) <= 1:
        return node, "none"
    if row["source_id"] == "echo_nccl_tests":
        return node, "azure-nd-a100-v4"
    if "EFA" in fabric:
        return node, "efa-p4d"
    return node, "a100-4x200-hdr" if "4 x 200" in fabric else "a100-8x200-hdr"


def load(files):
    rows = []
    for path in files:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["collective"] not in KINDS or not row["message_bytes"]:
                    continue
                ranks, size = int(row["n_gpus"]), float(row["message_bytes"])
                if row["latency_us"]:
                    seconds = float(row["latency_us"]) * 1e-6
                else:  # bus bandwidth of an all-reduce
                    seconds = size * 2 * (ranks - 1) / ranks / (float(row["busbw_GBps"]) * 1e9)
                where = platform(row)
                if where is None:
                    continue
                source = row["source_id"] + (
                    " " + row["library"].split()[-1] if row["source_id"] == "aiconfigurator" else ""
                )
                rows.append(
                    {
                        "kind": row["collective"],
                        "ranks": ranks,
                        "bytes": size,
                        "measured": seconds,
                        "node": where[0],
                        "fabric": where[1],
                        "source": source,
                        "gpu": where[0],
                    }
                )
    return rows


def compile_model(extra=()):
    folder = tempfile.mkdtemp(prefix="ampacity_fit_")
    source = pathlib.Path(folder, "wrapper.cpp")
    source.write_text(WRAPPER, encoding="utf-8")
    library = pathlib.Path(folder, "model.so")
    subprocess.run(
        [
            "c++",
            "-std=c++20",
            "-O2",
            "-shared",
            "-fPIC",
            "-Wl,-z,lazy",  # what reads catalogues is neither here nor called
            f"-I{ROOT}/cpp/include",
            f"-I{ROOT}/cpp/src",
            *extra,
            str(source),
            "-o",
            str(library),
        ],
        check=True,
    )
    function = ctypes.CDLL(str(library), mode=os.RTLD_LAZY).amp_time
    d, i, n = ctypes.c_double, ctypes.c_int, ctypes.c_long
    function.argtypes = [i, d, d, d, d, d, d, d, n, i, n, n, d]
    function.restype = d
    return function


def predict(model, row):
    node, fabric = NODES[row["node"]], FABRICS[row["fabric"]]
    return model(
        KINDS[row["kind"]],
        node["line"] * node["efficiency"],
        node["latency"],
        node["line"] * node["multicast"],
        node["launch"],
        fabric["line"],
        fabric["efficiency"],
        fabric["latency"],
        node["domain"],
        node["topology"],
        row["ranks"],
        1,
        row["bytes"],
    )


def size_class(size):
    return "< 1 MiB" if size < 2**20 else "1 MiB - 1 GiB" if size < 2**30 else ">= 1 GiB"


def loss(model, rows):
    """Mean |log error|, capped so that an outlier cannot lead; a source with 100 times the rows counts 10 times."""
    groups = {}
    for row in rows:
        error = abs(math.log(predict(model, row) / row["measured"]))
        groups.setdefault((row["source"], size_class(row["bytes"])), []).append(min(error, 0.7))
    weights = [math.sqrt(len(errors)) for errors in groups.values()]
    return sum(w * statistics.fmean(e) for w, e in zip(weights, groups.values(), strict=True)) / sum(weights)


def fitted_of_fabrics():
    return [(f, key) for f in FABRICS if f != "none" for key in FITTED_FABRIC if (f, key) not in PUBLISHED]


def fit(model, rows):
    """Coordinate descent on a shrinking multiplicative step."""
    jobs = [(NODES[n], key, "node", n) for n in NODES for key in FITTED_NODE if NODES[n][key] > 0]
    jobs += [(FABRICS[f], key, "fabric", f) for f, key in fitted_of_fabrics()]
    for step in (1.25, 1.1, 1.04, 1.015, 1.005):
        for _ in range(3):
            for table, key, column, name in jobs:
                touched = [row for row in rows if row[column] == name]
                if len(touched) < 3:
                    continue
                best, best_loss = table[key], loss(model, touched)
                for factor in (1 / step, step):
                    table[key] = min(best * factor, 1.0) if key in ("efficiency", "multicast") else best * factor
                    value = table[key]
                    now = loss(model, touched)
                    if now < best_loss - 1e-9:
                        best_loss, kept = now, value
                    else:
                        kept = best
                    best = table[key] = kept
                    if kept == value:
                        break


def report(model, rows, title):
    print(f"\n{title}\n{'':50s}{'rows':>6s}{'median |e|':>12s}{'p90 |e|':>9s}{'mean e':>9s}")
    groups = {}
    for row in rows:
        error = predict(model, row) / row["measured"] - 1
        cls = size_class(row["bytes"])
        groups.setdefault(("all", "", cls), []).append(error)
        groups.setdefault(("source", row["source"], cls), []).append(error)
        groups.setdefault(("kind", f"{row['gpu']} {row['kind']}", cls), []).append(error)
        if row["fabric"] != "none":
            groups.setdefault(("across nodes", f"{row['source']} {row['ranks']}", cls), []).append(error)
    for key in sorted(groups):
        errors = groups[key]
        absolute = sorted(abs(e) for e in errors)
        p90 = absolute[min(len(absolute) - 1, int(0.9 * len(absolute)))]
        print(
            f"{key[0] + ' ' + key[1]:36s}{key[2]:14s}{len(errors):6d}{statistics.median(absolute):12.1%}{p90:9.1%}"
            f"{statistics.fmean(errors):+9.1%}"
        )


def median_errors(model, rows):
    """Return the median absolute error of every size class."""
    found = {}
    for row in rows:
        found.setdefault(size_class(row["bytes"]), []).append(abs(predict(model, row) / row["measured"] - 1))
    return {name: statistics.median(errors) for name, errors in sorted(found.items())}


def errors_without(model, rows, left_out):
    """Return the errors of groups of these sizes by size of message, as NODES and FABRICS are and fitted without them.

    The fit without them starts from fabrics that nobody has measured. NODES and FABRICS stay as they are.
    """
    fitted = copy.deepcopy((NODES, FABRICS))
    tested = [row for row in rows if row["ranks"] in left_out]
    known = median_errors(model, tested)
    for fabric, key in fitted_of_fabrics():
        FABRICS[fabric][key] = FABRIC_NEUTRAL[key]
    fit(model, [row for row in rows if row["ranks"] not in left_out])
    unknown = median_errors(model, tested)
    for table, values in zip((NODES, FABRICS), fitted, strict=True):
        table.update(values)
    return known, unknown


def leave_out(model, rows):
    """Print the errors of groups of 16 and 32 GPUs with and without their rows in the fit."""
    print(f"\n{'left out':12s}{'size':16s}{'fitted':>9s}{'left out':>10s}{'points':>8s}")
    for left_out in ((16,), (32,), (16, 32)):
        known, unknown = errors_without(model, rows, left_out)
        for name, error in known.items():
            label = " and ".join(map(str, left_out))
            print(f"{label:12s}{name:16s}{error:9.1%}{unknown[name]:10.1%}{100 * (unknown[name] - error):+8.1f}")


def print_rows(model, rows, text):
    for row in rows:
        label = f"{row['source']} {row['node']} {row['kind']} x{row['ranks']}"
        if text in label:
            predicted = predict(model, row)
            print(
                f"{label:60s}{int(row['bytes']):14d}{row['measured'] * 1e6:11.1f}{predicted * 1e6:11.1f}"
                f"{predicted / row['measured'] - 1:+8.1%}"
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=pathlib.Path, default=[SCOREBOARD])
    parser.add_argument("--no-fit", action="store_true")
    parser.add_argument(
        "--rows", metavar="TEXT", help="also print the rows whose node, collective and ranks contain TEXT"
    )
    arguments = parser.parse_args()
    rows = load(arguments.files)
    model = compile_model()
    if not arguments.no_fit:
        fit(model, rows)
        for name, table in {**NODES, **FABRICS}.items():
            print(name, {key: float(f"{value:.3g}") for key, value in table.items()})
    print(f"loss {loss(model, rows):.4f}")
    report(model, rows, "errors (predicted / measured - 1)")
    if not arguments.no_fit:
        leave_out(model, rows)
    if arguments.rows:
        print_rows(model, rows, arguments.rows)


if __name__ == "__main__":
    main()
