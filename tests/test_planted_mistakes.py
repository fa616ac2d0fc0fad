"""Mistakes that people make in scenario files: each gets an error or a warning that names it, and a right file none."""

from __future__ import annotations

import copy
import json
import math
from typing import Any

import pytest

from ampacity.cli import main

MODEL = {
    "kind": "model",
    "name": "mine",
    "layers": 32,
    "hidden": 4096,
    "ffn": 14336,
    "heads": 32,
    "kv_heads": 8,
    "vocab": 128256,
    "seq_len": 8192,
    "global_batch": 128,
    "tokens": 1e12,
}
EXPERTS = {"experts": 8, "experts_per_token": 2, "expert_ffn": 14336}
DOCUMENTS: dict[str, dict[str, Any]] = {
    "model": MODEL,
    "accelerator": {
        "kind": "accelerator",
        "name": "gpu",
        "architecture": "hopper",
        "bf16_flops_per_s": 989.4e12,
        "fp8_flops_per_s": 1978.9e12,
        "memory_bytes": 85e9,
        "memory_bytes_per_s": 3.35e12,
        "sm_count": 132,
        "tensor_clock_hz": 1.83e9,
        "scaleup_bytes_per_s": 450e9,
        "tdp_w": 700.0,
        "idle_w": 70.0,
    },
    "nic": {"kind": "nic", "name": "card", "bytes_per_s": 50e9, "typical_w": 20.0, "max_w": 25.0},
    "node": {
        "kind": "node",
        "name": "box",
        "accelerator": "gpu",
        "accelerators": 8,
        "scaleup_domain": 8,
        "nic": "card",
        "nics": 8,
        "nameplate_w": 10200.0,
    },
    "fabric": {
        "kind": "fabric",
        "name": "net",
        "topology": "fat-tree",
        "tiers": 2,
        "bytes_per_s_per_accelerator": 50e9,
        "efficiency_fraction": 0.9,
        "switch": "qm9700",
        "optic": "2x400g-dr8-half",
        "switches_per_accelerator": 0.05,
        "optic_ends_per_accelerator": 4.0,
    },
    "cluster": {
        "kind": "cluster",
        "name": "farm",
        "fabric": "net",
        "site": "generic-us",
        "reliability": "generic",
        "partitions": [{"node": "box", "accelerators": 64}],
    },
}


def toml(document: dict[str, Any]) -> str:
    """Spell a document as TOML."""
    lines, tables = [], []
    for key, value in document.items():
        if isinstance(value, list):
            tables += [f"[[{key}]]\n{toml(entry)}" for entry in value]
        else:
            lines.append(f"{key} = {value!r}" if isinstance(value, float) else f"{key} = {json.dumps(value)}")
    return "\n".join(lines + tables) + "\n"


@pytest.fixture
def ask(tmp_path, capsys):
    """Return a function that writes the documents with a mistake in them and runs the command line on them."""

    def run(changes: dict[str, dict[str, Any]], flags: str, *, as_json: bool) -> tuple[int, str, str]:
        for kind, document in copy.deepcopy(DOCUMENTS).items():
            document.update(changes.get(kind, {}))
            (tmp_path / f"{kind}.toml").write_text(toml(document))
        arguments = ["--tp=4", "--pp=2", "--dp=8", *flags.split(), *(["--json"] if as_json else [])]
        try:
            status = main(["estimate", "mine", "--on", "farm", "--catalogue", str(tmp_path), *arguments])
        except SystemExit as stop:  # what argparse does with an error
            status = int(stop.code or 0)
        output = capsys.readouterr()
        return status, output.out, output.err

    return run


# Name: (changes of documents, flags, what the message must hold). The first twelve are those that we expect most.
ERRORS: dict[str, tuple[dict[str, dict[str, Any]], str, tuple[str, ...]]] = {
    "memory in GB": ({"accelerator": {"memory_bytes": 80}}, "", ("memory_bytes = 80", "80 GB are 8e+10")),
    "power in kW": ({"accelerator": {"tdp_w": 0.7, "idle_w": 0.07}}, "", ("tdp_w = 0.7", "0.7 kW are 700")),
    "fabric in Gb/s": (
        {"fabric": {"bytes_per_s_per_accelerator": 400.0}},
        "",
        ("bytes_per_s_per_accelerator = 400", "400 Gb/s are 5e+10"),
    ),
    "heads do not divide the width": ({"model": {"heads": 30}}, "", ("heads = 30", "must divide model.mine.hidden (4096)")),
    "tp does not divide the heads": ({}, "--tp=3", ("layout.tp = 3", "must divide model.heads (32)")),
    "ep does not divide the experts": ({"model": EXPERTS}, "--ep=3", ("layout.ep = 3", "must divide model.experts (8)")),
    "more accelerators than there are": ({}, "--dp=16", ("layout = 128", "must not exceed those of the cluster (64)")),
    "batch cannot be split": ({}, "--global-batch=100", ("training.global_batch = 100", "layout.dp x layout.micro_batch")),
    "pp does not divide the layers": ({}, "--pp=7 --dp=1", ("layout.pp = 7", "must divide model.layers (32)")),
    "memory bandwidth in GB/s": ({"accelerator": {"memory_bytes_per_s": 3350.0}}, "", ("memory_bytes_per_s = 3350", "bytes per second")),
    "peak in TFLOP/s": ({"accelerator": {"bf16_flops_per_s": 989.4}}, "", ("bf16_flops_per_s = 989.4", "in FLOP/s")),
    "clock in GHz": ({"accelerator": {"tensor_clock_hz": 1.83}}, "", ("tensor_clock_hz = 1.83", "in hertz")),
    "memory in MB": ({"accelerator": {"memory_bytes": 80e6}}, "", ("memory_bytes = 8e+07", "in bytes")),
    "clock in MHz": ({"accelerator": {"tensor_clock_hz": 1830.0}}, "", ("tensor_clock_hz = 1830", "in hertz")),
    "latency in microseconds": ({"fabric": {"message_latency_s": 14.0}}, "", ("message_latency_s = 14", "14 us are 1.4e-05")),
    "latency in milliseconds": ({"fabric": {"message_latency_s": 14e-3}}, "", ("message_latency_s = 0.014", "in seconds")),
    "efficiency in percent": ({"fabric": {"efficiency_fraction": 90.0}}, "", ("efficiency_fraction = 90", "90 % are 0.9")),
    "kv_heads do not divide heads": ({"model": {"kv_heads": 5}}, "", ("kv_heads = 5", "must divide model.mine.heads (32)")),
    "more kv_heads than heads": ({"model": {"kv_heads": 64}}, "", ("kv_heads = 64", "must divide model.mine.heads (32)")),
    "more tp than heads": ({}, "--tp=64 --pp=1 --dp=1", ("layout.tp = 64", "must divide model.heads (32)")),
    "tp does not divide ffn": ({"model": {"ffn": 14335}}, "", ("layout.tp = 4", "must divide model.ffn (14335)")),
    "vp without pipeline": ({}, "--pp=1 --vp=2", ("layout.vp = 2", "must be 1 without pipeline stages")),
    "vp does not divide layers": ({}, "--vp=3", ("layout.vp (3)", "must divide model.layers (32)")),
    "vp with gpipe": ({}, "--vp=2 --schedule=gpipe", ("layout.vp = 2", "gpipe")),
    "vp needs whole rounds": ({}, "--vp=2 --global-batch=24", ("layout.vp = 2", "micro-batches (3) in multiples of layout.pp (2)")),
    "cp does not divide the sequence": ({}, "--cp=3 --dp=2", ("layout.cp = 3", "must divide training.seq_len (8192)")),
    "ep of a dense model": ({}, "--ep=2", ("layout.ep = 2", "the model has no experts")),
    "more ep than experts": ({"model": EXPERTS}, "--ep=16", ("layout.ep = 16", "must divide model.experts (8)")),
    "more experts a token than experts": (
        {"model": {**EXPERTS, "experts_per_token": 16}},
        "",
        ("experts_per_token = 16", "between 1 and model.mine.experts (8)"),
    ),
    "no experts a token": ({"model": {**EXPERTS, "experts_per_token": 0}}, "", ("experts_per_token = 0",)),
    "experts a token without experts": ({"model": {"experts_per_token": 2}}, "", ("model.mine.experts = 0", "must be given")),
    "more dense layers than layers": ({"model": {**EXPERTS, "dense_layers": 33}}, "", ("dense_layers = 33", "layers (32)")),
    "no layer with experts": (
        {"model": {**EXPERTS, "moe_layer_interval": 64}},
        "",
        ("moe_layer_interval = 64", "no layer would have experts"),
    ),
    "shard_group does not divide dp": ({}, "--shard-group=3", ("layout.shard_group = 3", "must divide layout.dp (8)")),
    "another number of gpus": ({}, "--gpus=32", ("must equal gpus (32)",)),
    "no whole nodes": (
        {"cluster": {"partitions": [{"node": "box", "accelerators": 60}]}},
        "",
        ("accelerators = 60", "whole nodes of 8", "nearest: 56"),
    ),
    "tokens are no number": ({}, "--tokens=nan", ("training.tokens = nan",)),
    "tokens without end": ({"model": {"tokens": math.inf}}, "", ("tokens = inf",)),
    "layers forgotten": ({"model": {"layers": 0}}, "", ("layers = 0",)),
    "stage that is none": ({}, "--zero=4", ("layout.zero_stage = 4", "between 0 and 3")),
    "recompute misspelt": ({}, "--recompute=ful", ("layout.recompute", "did you mean full")),
    "key with another unit": ({"accelerator": {"memory_gb": 80}}, "", ("memory_gb", "is not a field")),
    "idle above the limit": ({"accelerator": {"idle_w": 700.0}}, "", ("idle_w = 700", "must be below tdp_w")),
    "domain across nodes": ({"node": {"scaleup_domain": 12}}, "", ("scaleup_domain = 12", "multiple or a divisor")),
}  # fmt: skip

WARNINGS: dict[str, tuple[dict[str, dict[str, Any]], str, tuple[str, ...]]] = {
    "bandwidth 1000 times too low": (
        {"accelerator": {"memory_bytes_per_s": 3.35e9}},
        "",
        ("accelerator.memory_bytes_per_s is 0.00335 TB/s", "0.3 to 22 TB/s"),
    ),
    "bandwidth in bits": ({"accelerator": {"memory_bytes_per_s": 26.8e12}}, "", ("memory_bytes_per_s over memory_bytes", "bits")),
    "scale-up links in bits": ({"accelerator": {"scaleup_bytes_per_s": 3600e9}}, "", ("over scaleup_bytes_per_s", "bits")),
    "scale-up links 1000 times too slow": ({"accelerator": {"scaleup_bytes_per_s": 450e6}}, "", ("scaleup_bytes_per_s is 0.45 GB/s",)),
    "peak 1000 times too low": ({"accelerator": {"bf16_flops_per_s": 989.4e9}}, "", ("bf16_flops_per_s is 0.9894 TFLOP/s",)),
    "peak 1000 times too high": ({"accelerator": {"bf16_flops_per_s": 989.4e15}}, "", ("accelerator.bf16_flops_per_s",)),
    "fp8 1000 times too low": ({"accelerator": {"fp8_flops_per_s": 1978.9e9}}, "", ("fp8_flops_per_s over bf16_flops_per_s",)),
    "power of the node": ({"accelerator": {"tdp_w": 7000.0}}, "", ("accelerator.tdp_w is 7000 W", "70 to 1800 W")),
    "clock a tenth": ({"accelerator": {"tensor_clock_hz": 1.83e8}}, "", ("tensor_clock_hz is 0.183 GHz",)),
    "rating in kW": ({"node": {"nameplate_w": 10.2}}, "", ("node.nameplate_w over accelerators x tdp_w",)),
    "card in bits": ({"nic": {"bytes_per_s": 400e9}}, "", ("nic.bytes_per_s is 400 GB/s", "400 Gb/s are 50 GB/s")),
    "fabric in bits": ({"fabric": {"bytes_per_s_per_accelerator": 400e9}}, "", ("rate of its network cards is 8", "400 Gb/s are 50 GB/s")),
    "fabric in Mb/s": ({"fabric": {"bytes_per_s_per_accelerator": 400e6}}, "", ("fabric.bytes_per_s_per_accelerator is 0.4 GB/s",)),
    "hop of a millisecond": ({"fabric": {"message_latency_s": 1e-3}}, "", ("fabric.message_latency_s is 1000 us",)),
    "heads given as kv_heads": ({"model": {"heads": 8}}, "", ("model.head_dim is 512", "check heads")),
    "head as wide as the model": ({"model": {"head_dim": 4096}}, "", ("model.head_dim is 4096",)),
    "ffn as a multiple": ({"model": {"ffn": 4}}, "", ("model.ffn over hidden", "not a multiple of hidden")),
    "vocabulary in thousands": ({"model": {"vocab": 128}}, "", ("model.vocab is 128 entries", "not thousands")),
    "vocabulary not padded": ({"model": {"vocab": 50257}}, "", ("model.vocab over layout.tp", "frameworks pad")),
    "tokens in trillions": ({}, "--tokens=15.6", ("training.tokens", "not millions or billions")),
    "tokens in millions": ({}, "--tokens=15.6e6", ("training.tokens over those of a step is 14.88 steps",)),
    "too many tokens": ({}, "--tokens=15.6e15", ("training.tokens is 1.56e+04 T tokens", "up to 40 T tokens")),
    "sequence in thousands": ({}, "--seq-len=8", ("training.seq_len is 8 tokens", "not thousands")),
    "batch in tokens": ({}, "--global-batch=4194304", ("global_batch counts sequences, not tokens",)),
    "format that the device lacks": (
        {"accelerator": {"fp8_flops_per_s": 0.0}},
        "--precision=fp8",
        ("training.precision is fp8", "it runs as bf16"),
    ),
    "format of the next generation": ({}, "--precision=nvfp4", ("training.precision is nvfp4", "it runs as fp8")),
}  # fmt: skip


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_a_right_scenario_has_neither_error_nor_warning(ask, as_json):
    status, out, err = ask({}, "", as_json=as_json)
    assert (status, err) == (0, "")
    assert json.loads(out)["warnings"] == [] if as_json else "Warnings" not in out


@pytest.mark.parametrize("mistake", ERRORS)
def test_error(ask, mistake):
    changes, flags, words = ERRORS[mistake]
    status, out, err = ask(changes, flags, as_json=True)
    assert (status, out) == (2, "")
    for word in words:
        assert word in err


@pytest.mark.parametrize("mistake", WARNINGS)
def test_warning(ask, mistake):
    changes, flags, words = WARNINGS[mistake]
    status, out, err = ask(changes, flags, as_json=True)
    assert (status, err) == (0, "")
    warnings = "\n".join(json.loads(out)["warnings"])
    status, text, err = ask(changes, flags, as_json=False)
    assert (status, err) == (0, "")
    for word in words:
        assert word in warnings
        assert word in text


def test_one_slip_gives_one_warning(ask):
    """Ratios to a value that is itself a slip say nothing new."""
    for slip in ({"memory_bytes_per_s": 3.35e9}, {"bf16_flops_per_s": 989.4e15}, {"tdp_w": 7000.0}):
        _, out, _ = ask({"accelerator": slip}, "", as_json=True)
        assert len([w for w in json.loads(out)["warnings"] if "known" in w]) <= 2, slip
