"""The scoreboard: every measured row is predicted or says why not, and the summary is what the rows say."""

from __future__ import annotations

import csv
import json
import statistics
import subprocess
import sys
import time

import pytest

import ampacity
from ampacity._scoreboard.cluster import accelerator_of, cluster_of
from ampacity._scoreboard.layout import LayoutOptions, software_of
from ampacity._scoreboard.model import model_of
from ampacity._scoreboard.recipes import nemo_release
from ampacity._scoreboard.rows import Row, Skip
from ampacity._validation import BUILTIN_TRAINING
from ampacity._validation_plot import plot_validation

RESULT = ampacity.validate("training")
with BUILTIN_TRAINING.open(encoding="utf-8", newline="") as file:
    RECORDS = {record["row_id"]: record for record in csv.DictReader(file)}

# One real row, and a plain one that tests change cell by cell.
GOOD = {
    "row_id": "x-1",
    "source_id": "x",
    "framework": "NeMo",
    "task": "pretrain benchmark",
    "model": "Llama3-8B",
    "arch": "dense",
    "layers": "32",
    "hidden": "4096",
    "ffn": "14336",
    "heads": "32",
    "kv_heads": "8",
    "vocab": "128256",
    "seq_len": "8192",
    "gpu": "H100-80GB-SXM",
    "n_gpus": "8",
    "gpus_per_node": "8",
    "network": "NDR 400G",
    "tp": "1",
    "pp": "1",
    "cp": "1",
    "dp": "8",
    "mbs": "1",
    "gbs": "128",
    "precision_class": "bf16",
    "recompute_class": "none",
    "step_time_s": "10",
    "complete": "full",
}


def row(**cells):
    return Row(0, {**GOOD, **cells})


def write(path, *records, columns=None):
    columns = columns or list(GOOD)
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(records)
    return path


# ------------------------------------------------------------------------------------------- the built-in scoreboard


def test_every_row_is_there():
    assert [r.row_id for r in RESULT.rows] == list(RECORDS)


def test_rows_are_predicted_or_say_why_not():
    for r in RESULT.rows:
        if r.skipped is None:
            assert r.predicted > 0
            assert r.measured > 0
            assert r.error_fraction == pytest.approx(r.predicted / r.measured - 1)
        else:
            assert r.skipped
            assert (r.predicted, r.measured, r.error_fraction) == (None, None, None)


def test_every_dense_pre_training_row_with_a_time_is_predicted():
    for r in RESULT.rows:
        record = RECORDS[r.row_id]
        dense = record["arch"] == "dense" and record["complete"] in ("full", "near-full")
        timed = record["step_time_s"] or record["tokens_per_s_per_gpu"]
        in_scope = record["task"] not in ("SFT", "LoRA") and record["precision_class"] != "unclear"
        if dense and timed and in_scope:
            assert r.skipped is None, (r.row_id, r.skipped)


def test_measured_times_come_from_the_file():
    for r in RESULT.rows:
        record = RECORDS[r.row_id]
        if r.measured is not None and record["step_time_s"]:
            assert r.measured == float(record["step_time_s"])


def test_summary_is_what_the_rows_say():
    for source in RESULT.summary:
        errors = [r.error_fraction for r in RESULT.rows if r.source_id == source.source_id and r.skipped is None]
        assert source.n == len(errors)
        assert source.median_abs_error == pytest.approx(statistics.median(map(abs, errors)))
        assert source.mean_error == pytest.approx(statistics.fmean(errors))
        assert source.median_abs_error <= source.p90_abs_error <= max(map(abs, errors)) + 1e-12
    mean = statistics.fmean(source.median_abs_error for source in RESULT.summary)
    assert RESULT.mean_median_abs_error == pytest.approx(mean)


def test_accuracy():
    """The aim of the first release: 15 % equal-weight mean over sources of the median error."""
    assert RESULT.mean_median_abs_error <= 0.15


def test_gpt3_of_mlperf():
    """GPT-3 175B in FP8 on 10,752 to 4,096 H100 (MLPerf v3.1): within 15 % each."""
    found = {r.n_gpus: r for r in RESULT.rows if r.source_id == "mlperf_v3_1"}
    for n_gpus in (10752, 8192, 6144, 4096):
        assert abs(found[n_gpus].error_fraction) <= 0.15


def test_assumptions_are_noted():
    unknown = [r for r in RESULT.rows if RECORDS[r.row_id]["recompute_class"] == "unknown" and r.skipped is None]
    assert unknown
    assert all("recompute" in r.assumed for r in unknown)
    blank = [r for r in RESULT.rows if not RECORDS[r.row_id]["mbs"] and r.skipped is None]
    assert all("micro-batch" in r.assumed for r in blank)


@pytest.mark.slow
def test_the_scoreboard_is_quick():
    start = time.perf_counter()
    ampacity.validate("training")
    assert time.perf_counter() - start < 3


# ---------------------------------------------------------------------------------------------------- files of users


def test_several_files_and_line_numbers(tmp_path):
    columns = [column for column in GOOD if column != "row_id"]
    first = write(tmp_path / "a.csv", GOOD, GOOD, columns=columns)
    second = write(tmp_path / "b.csv", {**GOOD, "row_id": "own"}, GOOD)
    result = ampacity.validate("training", data=[first, second])
    assert [r.row_id for r in result.rows] == ["0", "1", "own", "x-1"]
    assert result.summary[0].n == 4


BAD_CELLS = {
    "n_gpus": ["", "nan", "-8", "eight", "8.5", "0", "inf", "1e30", "7"],
    "layers": ["", "nan", "-1", "0", "many"],
    "hidden": ["", "0", "4097"],
    "heads": ["", "0", "33"],
    "kv_heads": ["7"],
    "seq_len": ["", "-1", "text"],
    "gbs": ["", "nan", "-4", "0", "7"],
    "dp": ["3", "nan"],
    "tp": ["-1", "x"],
    "mbs": ["-1", "nan", "3"],
    "gpu": ["", "Etch Sohu"],
    "precision_class": ["unclear", "fp3"],
    "recompute_class": ["some"],
    "step_time_s": ["-1", "nan", "inf", "fast"],
    "task": ["SFT", "LoRA", "inference"],
    "complete": ["partial"],
    "arch": ["moe"],
    "zero_stage": ["9"],
}
CELLS = [(column, cell) for column, cells in BAD_CELLS.items() for cell in cells]


@pytest.mark.parametrize(("column", "cell"), CELLS, ids=[f"{column}={cell}" for column, cell in CELLS])
def test_bad_cells_skip_the_row_with_a_reason(tmp_path, column, cell):
    columns = [*GOOD, *({column} - set(GOOD))]
    path = write(tmp_path / "bad.csv", {**GOOD, column: cell}, GOOD, columns=columns)
    bad, good = ampacity.validate("training", data=[path]).rows
    assert bad.skipped
    assert good.skipped is None


def test_no_time_at_all(tmp_path):
    path = write(tmp_path / "none.csv", {**GOOD, "step_time_s": ""})
    assert "neither" in ampacity.validate("training", data=path).rows[0].skipped


def test_tokens_per_second_instead_of_step_time(tmp_path):
    record = {**GOOD, "step_time_s": "", "tokens_per_s_per_gpu": "13107.2"}
    path = write(tmp_path / "rate.csv", record, columns=list(record))
    assert ampacity.validate("training", data=path).rows[0].measured == pytest.approx(128 * 8192 / (13107.2 * 8))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"a,b\n1,2\n", "lacks the columns layers"),
        (b"\x00\xff\xfe", "UTF-8"),
        (b'layers,"hidden\n', "not a CSV|lacks"),
    ],
)
def test_unusable_files(tmp_path, data, message):
    path = tmp_path / "bad.csv"
    path.write_bytes(data)
    with pytest.raises(ampacity.InvalidSpec, match=message):
        ampacity.validate("training", data=[path])


def test_short_and_long_rows(tmp_path):
    path = write(tmp_path / "rows.csv", GOOD)
    path.write_text(path.read_text() + "1,2,3\n" + ",".join("1" * 99) + "\n\n")
    rows = ampacity.validate("training", data=[path]).rows
    assert [bool(r.skipped) for r in rows] == [False, True, True]


def test_uneven_interleaving_is_modelled(tmp_path):
    """32 layers on 2 stages of 5 chunks: a chunk has three layers or four, as torchtitan spreads them."""
    records = [{**GOOD, "pp": "2", "dp": "4", "vp": vp} for vp in ("5", "1")]
    path = write(tmp_path / "rows.csv", *records, columns=[*GOOD, "vp"])
    uneven, plain = ampacity.validate("training", data=[path]).rows
    assert "layers spread unevenly" in uneven.assumed
    assert "unevenly" not in plain.assumed
    # The bubble of two stages shrinks to a fifth, and 9 of 16 chunks' worth of layers may stand on the slower stage.
    assert uneven.predicted == pytest.approx(plain.predicted, rel=0.15)


def test_unknown_kind():
    with pytest.raises(ampacity.InvalidSpec, match="did you mean training"):
        ampacity.validate("trainings")


# ----------------------------------------------------------------------------------------------------- reading a row


@pytest.mark.parametrize(
    ("gpu", "name"),
    [
        ("H100-80GB-SXM", "h100-sxm"),
        ("H100-96GB-HBM2e-500W", "h100-sxm-96"),
        ("H100-PCIe", "h100-pcie"),
        ("NVIDIA H100 SXM5 80GB", "h100-sxm"),
        ("A100-80GB-SXM", "a100-sxm-80"),
        ("A100-40GB-SXM", "a100-sxm-40"),
        ("B200", "b200-sxm"),
        ("GB200", "gb200"),
        ("GB300 NVL72", "gb300"),
        ("B300", "b300-sxm"),
        ("H200", "h200-sxm"),
        ("H800", "h800-sxm"),
        ("H20", "h20-sxm"),
        ("GH200", "gh200-96"),
        ("MI300X", "mi300x"),
        ("AMD Instinct MI325X", "mi325x"),
        ("MI250X", "mi250x"),
        ("TPU v5p", "tpu-v5p"),
        ("TPU v4", "tpu-v4"),
        ("Trainium2", "trainium2"),
        ("V100-SXM2-32GB", "v100-sxm2-32"),
    ],
)
def test_gpu_names(gpu, name):
    assert accelerator_of(row(gpu=gpu)).name == name


@pytest.mark.parametrize("gpu", ["H1000", "RTX A1000", "B2000", "GB2005", "MI3000X", "V1000"])
def test_a_longer_number_is_another_product(gpu):
    with pytest.raises(Skip, match="unknown GPU"):
        accelerator_of(row(gpu=gpu))


def test_clusters():
    cluster, note = cluster_of(row(n_gpus="64", network="8x HDR IB 200 Gb/s per node (Selene)"))
    assert cluster.fabric.bytes_per_s_per_accelerator == 25e9
    assert cluster.accelerators == 64
    assert note == ""
    rack, _ = cluster_of(row(gpu="GB200", gpus_per_node="4", n_gpus="128", network="NVL72 + 400G"))
    assert rack.partitions[0].node.scaleup_domain == 72
    assert rack.accelerators == 144  # whole racks
    _, note = cluster_of(row(n_gpus="64", network=""))
    assert "400 Gb/s" in note


def test_models():
    llama = model_of(row())
    assert (llama.activation, llama.kv_heads, llama.tied_embeddings, llama.dropout) == ("swiglu", 8, False, False)
    gpt = model_of(row(model="GPT-9B", ffn="16384", year="2021", kv_heads=""))
    assert (gpt.activation, gpt.kv_heads, gpt.tied_embeddings, gpt.dropout) == ("gelu", 32, True, True)
    assert model_of(row(model="Nemotron-4-8B")).activation == "squared-relu"
    assert model_of(row(model="nameless", ffn="16384")).activation == "gelu"
    assert model_of(row(model="nameless", ffn="11008")).activation == "swiglu"
    with pytest.raises(Skip):
        model_of(row(arch="moe"))
    moe = model_of(row(model="Mixtral-8x7B", arch="moe", n_experts="8", topk="2", moe_ffn="14336"))
    assert (moe.experts, moe.experts_per_token) == (8, 2)


@pytest.mark.parametrize(
    ("cells", "stage", "group"),
    [
        ({}, 1, 0),
        ({"features": "no distributed optimizer"}, 0, 0),
        ({"fsdp": "FULL_SHARD"}, 3, 0),
        ({"fsdp": "SHARD_GRAD_OP"}, 2, 0),
        ({"fsdp": "4", "zero_stage": "3"}, 3, 4),
        ({"fsdp": "8", "zero_stage": "3"}, 3, 0),
        ({"fsdp": "0"}, 1, 0),
        ({"framework": "MaxText (JAX)"}, 3, 0),
    ],
)
def test_sharding(cells, stage, group):
    (layout,) = LayoutOptions(row(**cells)).layouts({"recompute": "none"})
    assert (layout.zero_stage, layout.shard_group) == (stage, group)


def test_open_choices():
    options = LayoutOptions(row(mbs="", recompute_class="unknown"))
    assert options.micro_batches == [1, 2, 4, 8, 16]
    assert options.recomputes[0] == {"recompute": "none"}
    assert options.open == ["recompute", "micro-batch"]
    interleaved = LayoutOptions(row(tp="1", pp="4", dp="2", vp=""))
    assert interleaved.virtual_stages == [1, 2, 4, 8]


@pytest.mark.parametrize(
    ("framework", "name"),
    [
        ("torchtitan", "torchtitan-2024"),
        ("LLM Foundry (PyTorch FSDP1)", "llm-foundry"),
        ("PyTorch FSDP", "fsdp"),
        ("MaxText (JAX)", "jax"),
        ("Megatron-LM + DeepSpeed", "megatron-deepspeed"),
        ("Megatron-Bridge", "nemo-25.04"),
        ("NeMo/Megatron-Core", "nemo"),
        ("Megatron-LM", "megatron-core"),
    ],
)
def test_software(framework, name):
    software, note = software_of(row(framework=framework, year="2024"))
    assert (software.name, note) == (name, "")


def test_torchtitan_compiles_its_loss_since_2025():
    assert software_of(row(framework="torchtitan", year="2025"))[0].name == "torchtitan"


def test_unknown_software_is_noted():
    software, note = software_of(row(framework="MegaScale"))
    assert software.name == "megatron-core"
    assert "MegaScale" in note


# --------------------------------------------------------------------------------------------------- the command line


def run(*arguments):
    command = [sys.executable, "-m", "ampacity", "validate", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_json_of_the_command_line(tmp_path):
    path = write(tmp_path / "a.csv", GOOD, {**GOOD, "row_id": "x-2", "gbs": "nan"})
    found = json.loads(run("--kind", "training", "--data", str(path), "--json"))
    assert found["kind"] == "training"
    keys = {"row_id", "source_id", "n_gpus", "predicted", "measured", "error_fraction", "skipped"}
    assert all(keys <= set(r) for r in found["rows"])
    assert found["rows"][0]["skipped"] is None
    assert found["rows"][1]["predicted"] is None
    (summary,) = found["summary"]
    assert set(summary) >= {"source_id", "quantity", "n", "median_abs_error", "mean_error", "p90_abs_error"}
    assert summary["quantity"] == "step_time"


def test_text_of_the_command_line(tmp_path):
    path = write(tmp_path / "a.csv", GOOD, {**GOOD, "row_id": "x-2", "gbs": "nan"})
    text = run("--data", str(path))
    assert "mean of sources" in text
    assert "skipped: gbs = nan" in text
    assert "1 rows skipped" in text


# ------------------------------------------------------------------------------------------------------- the picture


def test_plot(tmp_path):
    pytest.importorskip("matplotlib")
    path = write(tmp_path / "a.csv", GOOD, {**GOOD, "source_id": "y", "step_time_s": "9"})
    picture = tmp_path / "a.png"
    run("--data", str(path), "--plot", str(picture))
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("name", "message"), [("a.txt", "must end in"), ("missing/a.png", "cannot be written")])
def test_pictures_that_cannot_be_drawn(tmp_path, name, message):
    pytest.importorskip("matplotlib")
    result = ampacity.validate(data=write(tmp_path / "a.csv", GOOD))
    with pytest.raises(ampacity.InvalidSpec, match=message):
        plot_validation(result, tmp_path / name)


def test_a_picture_of_nothing(tmp_path):
    result = ampacity.validate(data=write(tmp_path / "a.csv", {**GOOD, "gbs": "nan"}))
    with pytest.raises(ampacity.InvalidSpec, match="at least one predicted row"):
        plot_validation(result, tmp_path / "a.png")


@pytest.mark.parametrize(
    ("gpu", "name"),
    [
        ("A800-80GB", "a800-sxm"),
        ("NVIDIA L40S", "l40s"),
        ("TPU v5e", "tpu-v5e"),
        ("TPU v5litepod-256", "tpu-v5e"),
        ("v5p", "tpu-v5p"),
        ("Trillium", "tpu-v6e"),
        ("TPU v7 Ironwood", "tpu-v7"),
        ("Ironwood", "tpu-v7"),
        ("Data Center GPU Max 1550", "max-1550"),
        ("Ampere GPU", "a100-sxm-80"),
        ("Gaudi2", "gaudi2"),
    ],
)
def test_other_names_of_devices(gpu, name):
    assert accelerator_of(row(gpu=gpu)).name == name


def test_interleaves_where_embedding_and_head_stand_for_layers():
    """126 layers of Llama 3.1 405B on 16 stages (arXiv:2407.21783, section 3.3.2): up to 8 virtual stages of one layer."""
    options = LayoutOptions(row(layers="126", tp="8", pp="16", dp="1", n_gpus="128", vp=""))
    assert options.virtual_stages == [1, 2, 4, 8]


@pytest.mark.parametrize(
    ("features", "schedule", "stages"),
    [("DualPipe", "dualpipe", 1), ("DualPipeV", "dualpipe-v", 2), ("zero bubble", "zb-h1", 1), ("ZB-V", "zb-v", 2)],
)
def test_schedules_by_name(features, schedule, stages):
    options = LayoutOptions(row(tp="1", pp="4", dp="2", vp="", features=features))
    layout = next(options.layouts({"recompute": "none"}))
    assert (layout.schedule, layout.vp) == (schedule, stages)


def test_sequence_parallelism_where_it_cannot_be():
    twelve = row(tp="12", dp="1", n_gpus="12", heads="48", seq_len="2048", gbs="16", seq_parallel="")
    (layout,) = LayoutOptions(twelve).layouts({"recompute": "none"})
    assert not layout.sequence_parallel


def test_releases_by_year_where_none_is_named():
    assert nemo_release(row(framework="NeMo", fw_version="v5.0", year="2025")) == "nemo-25.04"
    assert nemo_release(row(framework="NeMo", fw_version="v3.1", year="2023")) == "nemo"
