"""Specifications: frozen, comparable, readable, picklable, and the same after every round trip."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import pytest

import ampacity

SPECS = {
    "accelerator": ampacity.accelerator("h100-sxm"),
    "architecture": ampacity.architecture("hopper"),
    "cluster": ampacity.cluster("colossus-200k"),
    "fabric": ampacity.fabric("infiniband-ndr"),
    "grid": ampacity.grid("ercot"),
    "layout": ampacity.Layout(tp=8, pp=16, dp=128, recompute="selective-op", sequence_parallel=False),
    "model": ampacity.model("llama-3.1-405b"),
    "nic": ampacity.nic("connectx-7-400g"),
    "node": ampacity.node("dgx-h100"),
    "optic": ampacity.optic("400g-dr4"),
    "partition": ampacity.Partition(node="dgx-h100", accelerators=16),
    "reliability": ampacity.reliability("generic"),
    "site": ampacity.site("generic-us"),
    "software": ampacity.software("megatron-core"),
    "switch": ampacity.switch("qm9700"),
    "training": ampacity.Training("llama-3.1-405b", precision="fp8", tokens=1.25e12),
}


@pytest.fixture(params=SPECS, ids=list(SPECS))
def spec(request):
    return SPECS[request.param]


def test_repr_round_trip(spec):
    assert repr(spec).startswith("ampacity.")
    assert eval(repr(spec), {"ampacity": ampacity}) == spec


def test_pickle_round_trip(spec):
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(spec, protocol)) == spec


def test_pickle_reaches_another_process():
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer).name)"
    data = pickle.dumps(SPECS["cluster"])
    printed = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True, timeout=60)
    assert printed.stdout.split() == [b"colossus-200k"]


def test_pickle_of_another_version_is_refused():
    cls, (state,) = ampacity.Layout, (ampacity.Layout(tp=2).__getstate__(),)
    assert state[0] == 1
    fresh = cls.__new__(cls)
    with pytest.raises(ampacity.Error, match="another version"):
        fresh.__setstate__((99, state[1]))


def test_dict_round_trip(spec):
    document = spec.to_dict()
    assert type(spec).from_dict(document) == spec
    assert all(isinstance(key, str) for key in document)


def test_copies_are_equal(spec):
    assert copy.copy(spec) == spec == copy.deepcopy(spec)
    assert spec.replace() == spec


def test_equal_specs_have_equal_hashes(spec):
    twin = type(spec).from_dict(spec.to_dict())
    assert twin is not spec
    assert hash(twin) == hash(spec)
    assert len({spec, twin}) == 1


def test_specs_differ_from_other_types(spec):
    assert spec != 1
    assert spec != repr(spec)
    others = [other for other in SPECS.values() if other is not spec]
    assert all(spec != other for other in others)


def test_frozen(spec):
    for key in spec.to_dict():
        with pytest.raises(AttributeError):
            setattr(spec, key, getattr(spec, key))
    with pytest.raises(AttributeError):
        spec.brand_new = 1


def test_every_field_is_documented(spec):
    for key in spec.to_dict():
        assert getattr(type(spec), key).__doc__, key
        assert f"\n{key} : " in type(spec).__doc__


def test_replace_changes_only_what_is_named():
    layout = ampacity.Layout(tp=8, pp=4)
    changed = layout.replace(pp=2, recompute="full")
    assert (changed.tp, changed.pp, changed.recompute) == (8, 2, "full")
    assert (layout.pp, layout.recompute) == (4, "none")


def test_replace_takes_nested_specs_by_object_name_and_table():
    job = ampacity.Training("llama-3.1-8b")
    model = ampacity.model("llama-3.1-70b")
    assert job.replace(model=model) == job.replace(model="llama-3.1-70b") == job.replace(model=model.to_dict())


def test_defaults_come_from_the_model():
    job = ampacity.Training("llama-3.1-405b")
    assert (job.global_batch, job.seq_len, job.tokens) == (2048, 8192, 15.6e12)  # Llama 3 paper, section 3.4.1
    assert job.precision == "bf16"
    assert job.software.name == "megatron-core"


def test_model_is_positional():
    by_name = ampacity.Training(model="llama-3.1-8b", global_batch=64)
    assert ampacity.Training(ampacity.model("llama-3.1-8b"), global_batch=64) == by_name
    with pytest.raises(TypeError):
        ampacity.Training("llama-3.1-8b", 64)  # type: ignore[misc]
    with pytest.raises(TypeError):
        ampacity.Training("llama-3.1-8b", model="llama-3.1-8b")  # type: ignore[misc]
    with pytest.raises(TypeError):
        ampacity.Layout(8)  # type: ignore[misc]


def test_nested_specs_are_read_only_views():
    cluster = ampacity.cluster("colossus-200k")
    assert isinstance(cluster.partitions, tuple)
    names = {partition.node.accelerator.name for partition in cluster.partitions}
    assert names == {"h100-sxm", "h200-sxm"}
    # A nested object stays valid after its owner is gone.
    node = ampacity.cluster("colossus-100k").partitions[0].node
    assert node.accelerator.architecture.name == "hopper"


def test_numpy_scalars_are_numbers():
    np = pytest.importorskip("numpy")
    expected = ampacity.Layout(tp=8, pp=4, cp=2, sequence_parallel=False)
    given = ampacity.Layout(tp=np.int64(8), pp=np.uint8(4), cp=np.array(2), sequence_parallel=np.bool_(False))
    assert given == expected
    assert ampacity.Training("llama-3.1-8b", tokens=np.float32(2.0**40)).tokens == 2.0**40
