"""The catalogue: every entry reads, every value has a source, users extend it without touching it."""

from __future__ import annotations

import pytest

import ampacity

BUILTIN = ampacity.Catalogue.builtin()
ENTRIES = [(kind, name) for kind in BUILTIN.kinds() for name in BUILTIN.names(kind)]

# The systems that must run by name.
CLUSTERS = [
    "meta-llama3-16k",
    "meta-24k-roce",
    "meta-24k-infiniband",
    "h100-100k",
    "meta-129k",
    "colossus-100k",
    "colossus-200k",
    "meta-fleet-2024",
    "tesla-35k",
    "prometheus",
    "hyperion",
    "el-capitan",
    "eos-10752",
    "selene-3072",
]
MODELS = [
    "llama-3-8b",
    "llama-3.1-8b",
    "llama-3.1-70b",
    "llama-3.1-405b",
    "llama-4-scout",
    "llama-4-maverick",
    "llama-4-behemoth",
    "grok-1",
    "gpt-3-175b",
    "deepseek-v3",
    "mixtral-8x7b",
    "qwen3-8b",
    "nemotron-4-340b",
    "mt-nlg-530b",
]
ACCELERATORS = [
    "a100-sxm-40",
    "a100-sxm-80",
    "h100-sxm",
    "h100-pcie",
    "h800-sxm",
    "h200-sxm",
    "gh200-96",
    "b200-sxm",
    "gb200",
    "b300-sxm",
    "gb300",
    "mi250x",
    "mi300a",
    "mi300x",
    "mi355x",
    "tpu-v4",
    "tpu-v5p",
    "tpu-v7",
    "trainium2",
]


def test_named_systems():
    assert set(CLUSTERS) <= set(BUILTIN.names("cluster"))
    assert set(MODELS) <= set(BUILTIN.names("model"))
    assert set(ACCELERATORS) <= set(BUILTIN.names("accelerator"))


@pytest.mark.parametrize(("kind", "name"), ENTRIES, ids=[f"{kind}-{name}" for kind, name in ENTRIES])
def test_every_entry(kind, name):
    spec = getattr(ampacity, kind)(name)
    assert spec.name == name
    assert spec == getattr(BUILTIN, kind)(name)
    assert spec.title


@pytest.mark.parametrize(("kind", "name"), ENTRIES, ids=[f"{kind}-{name}" for kind, name in ENTRIES])
def test_every_number_has_a_source_and_a_confidence(kind, name):
    document = BUILTIN.document(kind, name)
    whole = "source" in document and "confidence" in document
    for key, value in document.items():
        if isinstance(value, dict) and "value" in value:
            assert value["source"], key
            assert value["confidence"] in ("measured", "vendor", "inferred"), key
        elif isinstance(value, int | float) and not isinstance(value, bool):
            assert whole, f"{key} has no source"
    if whole:
        assert document["confidence"] in ("measured", "vendor", "inferred")


def test_identities_of_the_data_sheets():
    """SMs x FLOP per clock x clock is the printed peak: 4,096 on an H100, 2,048 on an A100."""
    for name, per_clock in (("h100-sxm", 4096), ("a100-sxm-80", 2048)):
        device = ampacity.accelerator(name)
        assert device.sm_count * per_clock * device.tensor_clock_hz == pytest.approx(device.bf16_flops_per_s, rel=0.01)


def test_parameter_counts():
    """Embeddings, attention and feed-forward matrices add up to the size in the model's name."""
    for name, billions in (("llama-3.1-8b", 8.03), ("llama-3.1-70b", 70.6), ("llama-3.1-405b", 405.9)):
        m = ampacity.model(name)
        attention = m.hidden * m.head_dim * (2 * m.heads + 2 * m.kv_heads)
        embedding = m.vocab * m.hidden * (1 if m.tied_embeddings else 2)
        parameters = m.layers * (attention + 3 * m.hidden * m.ffn) + embedding
        assert parameters / 1e9 == pytest.approx(billions, rel=0.01)


def test_unknown_kind_and_name():
    with pytest.raises(ampacity.UnknownName, match="accelerator"):
        BUILTIN.names("accelerators")
    with pytest.raises(ampacity.UnknownName, match="h100-sxm"):
        BUILTIN.document("accelerator", "h100-sxn")


def test_own_documents(tmp_path):
    (tmp_path / "mine.toml").write_text(
        """
        [[grid]]
        name = "own-hydro"
        carbon_kg_per_mwh = { value = 4, source = "contract", confidence = "vendor" }

        [[site]]
        name = "own-site"
        grid = "own-hydro"
        pue_mean = 1.05
        pue_peak = 1.1

        [[cluster]]
        name = "own-cluster"
        fabric = "infiniband-ndr"
        site = "own-site"
        reliability = "generic"
        partitions = [{ node = "dgx-h100", accelerators = 64 }]
        """
    )
    catalogue = ampacity.load_catalogue(tmp_path / "mine.toml")
    cluster = ampacity.cluster("own-cluster", catalogue=catalogue)
    assert cluster.site.grid.carbon_kg_per_mwh == 4
    assert cluster.accelerators == 64
    assert "own-cluster" not in BUILTIN.names("cluster")
    assert ampacity.load_catalogue(tmp_path).names("grid") == catalogue.names("grid")


def test_own_documents_replace_built_in_ones(tmp_path):
    folder = tmp_path / "grids"
    folder.mkdir()
    (folder / "ercot.toml").write_text('name = "ercot"\ncarbon_kg_per_mwh = 1\n')
    catalogue = ampacity.load_catalogue(folder)
    assert catalogue.grid("ercot").carbon_kg_per_mwh == 1
    assert ampacity.grid("ercot").carbon_kg_per_mwh > 100


def test_a_specification_from_a_file(tmp_path):
    file = tmp_path / "big.toml"
    file.write_text('name = "big"\nlayers = 2\nhidden = 256\nffn = 512\nheads = 4\nvocab = 100\nglobal_batch = 8\n')
    assert ampacity.model(file) == ampacity.model(str(file))
    assert ampacity.Training(ampacity.model(file)).global_batch == 8
