"""What rows of the training scoreboard say of recomputation."""

from __future__ import annotations

import pytest

from ampacity import Training, cluster, estimate, model
from ampacity._core import Layout
from ampacity._scoreboard.layout import LayoutOptions
from ampacity._scoreboard.recompute import offloaded_fraction, recompute_options
from ampacity._scoreboard.rows import Row, Skip

CELLS = {
    "framework": "Megatron-Bridge",
    "layers": "32",
    "recompute_class": "full",
    "gbs": "128",
    "n_gpus": "8",
    "mbs": "1",
}


def row(**cells: str) -> Row:
    return Row(0, {**CELLS, **cells})


@pytest.mark.parametrize(
    ("cells", "layers"),
    [
        ({"recompute": "full (every layer)"}, 0),
        ({"recompute": "full, 5 layer(s)"}, 5),
        ({"recompute": "full, 5 layer(s)", "pp": "2", "vp": "2"}, 10),  # each of a rank's virtual stages has as many
        ({"recompute": "full, 5 layer(s)", "pp": "16"}, 2),  # no more than there are
        ({"recompute": "full, uniform, 1 layer"}, 0),  # of one layer each, all are computed again
        ({"recompute": "selective (every 2nd layer)", "recompute_class": "selective"}, 16),
        ({"recompute": "full; cpu offload 8 layers"}, 0),
    ],
)
def test_layers_that_are_computed_again(cells, layers):
    (fields,), note = recompute_options(row(**cells))
    assert (fields["recompute"], fields.get("recompute_layers", 0), note) == ("full", layers, "")


def test_offloaded_layers():
    assert offloaded_fraction(row(recompute="none; cpu offload 8 layers")) == 0.25
    assert offloaded_fraction(row(recompute="full, 5 layer(s)")) == 0


@pytest.mark.parametrize(
    ("policy", "modules"),
    [
        ("save_dot_except_mlp", ["core_attn", "layernorm", "mlp"]),
        ("remat_policy=save_dot_with_context_except_mlp", ["layernorm", "mlp"]),
        ("minimal", ["core_attn", "layernorm"]),
        ("minimal_with_context", ["layernorm"]),
    ],
)
def test_policies_of_maxtext(policy, modules):
    (fields,), _ = recompute_options(row(framework="MaxText", recompute=policy, recompute_class=""))
    assert fields == {"recompute": "modules", "recompute_modules": modules}


def test_open_recomputation_tries_what_the_software_offers():
    megatron, note = recompute_options(row(recompute_class="unknown"))
    maxtext, _ = recompute_options(row(recompute_class="unknown", framework="MaxText (JAX)"))
    assert note == "recompute"
    assert [f["recompute"] for f in megatron] == ["none", "selective", "selective-op", "full"]
    assert [f["recompute"] for f in maxtext] == ["none", "modules", "modules", "modules", "full"]
    latent, _ = recompute_options(row(recompute_class="unknown", model_notes="MLA (q_lora 1536)"))
    assert latent[1] == {"recompute": "modules", "recompute_modules": ["layernorm", "mla_up_proj"]}
    options = LayoutOptions(row(recompute_class="unknown", framework="MaxText (JAX)"))
    assert [layout.recompute for f in options.recomputes for layout in options.layouts(f)] == [
        f["recompute"] for f in maxtext
    ]


def test_modules_without_names_and_unknown_classes_are_skipped():
    with pytest.raises(Skip, match="names no modules"):
        recompute_options(row(recompute_class="modules", recompute="some"))
    with pytest.raises(Skip, match="not known"):
        recompute_options(row(recompute_class="a little"))


def test_what_nothing_reads_is_not_computed_again():
    """XLA leaves out a block's last product: of 3 equal matrices of SwiGLU that is a third of the block's products."""
    on = cluster("meta-llama3-16k")
    layout = {"tp": 1, "pp": 1, "dp": 16384, "zero_stage": 3, "micro_batch": 1}

    def again_s(software: str, **recompute: object) -> float:
        job = Training(model("llama-3-8b"), global_batch=16384, seq_len=8192, software=software)
        return estimate(job, on, Layout(**layout, **recompute)).breakdown.recompute_s

    modules = {"recompute": "modules", "recompute_modules": ["mlp"]}
    # Matrix products take nearly all of a block; its activation is done again by both.
    assert again_s("jax", **modules) / again_s("megatron-core", **modules) == pytest.approx(2 / 3, abs=0.04)
    assert again_s("jax", recompute="full") < 0.85 * again_s("megatron-core", recompute="full")
