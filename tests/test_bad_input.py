"""Bad input: one clear error that names every problem, whatever is thrown at a constructor or a file."""

from __future__ import annotations

import datetime
import decimal
import math
import os
import pickle

import pytest

import ampacity

HUGE = 10**400
WRONG_COUNTS = [
    math.nan,
    math.inf,
    -math.inf,
    0,
    -1,
    -8.0,
    8.5,
    1e30,
    2**63,
    -(2**63),
    HUGE,
    -HUGE,
    "8",
    "",
    b"8",
    None,
    True,
    [8],
    (8,),
    {"tp": 8},
    {8},
    object(),
    lambda: 8,
    8 + 0j,
    datetime.date(2026, 1, 1),
    "\ud800",
    "x" * 100_000,
]


@pytest.mark.parametrize(
    "value", WRONG_COUNTS, ids=lambda value: f"{type(value).__name__} {value!r}"[:24].split(" at 0x")[0]
)
def test_wrong_degree(value):
    with pytest.raises(ampacity.InvalidSpec) as caught:
        ampacity.Layout(tp=value)
    assert {problem.path for problem in caught.value.problems} == {"layout.tp"}
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("value", [math.nan, math.inf, -1, 1e30, "1e12", None, True, [], {}])
def test_wrong_amount(value):
    with pytest.raises(ampacity.InvalidSpec, match=r"training\.tokens"):
        ampacity.Training("llama-3.1-8b", tokens=value)


@pytest.mark.parametrize("value", [decimal.Decimal("1e12"), 10**12, 1e12])
def test_anything_that_is_a_number_counts_as_one(value):
    assert ampacity.Training("llama-3.1-8b", tokens=value).tokens == 1e12


@pytest.mark.parametrize("value", [0, 1, "yes", 1.0, None])
def test_wrong_flag(value):
    with pytest.raises(ampacity.InvalidSpec, match="must be true or false"):
        ampacity.Layout(sequence_parallel=value)


def test_all_problems_are_named_at_once():
    with pytest.raises(ampacity.InvalidSpec) as caught:
        ampacity.Layout(tp=0, pp=math.nan, cp=object(), recompute="ful", micro_batches=2)
    problems = {problem.path: problem for problem in caught.value.problems}
    assert set(problems) == {"layout.tp", "layout.pp", "layout.cp", "layout.recompute", "layout.micro_batches"}
    assert "full" in problems["layout.recompute"].hint
    assert "micro_batch" in problems["layout.micro_batches"].hint
    for path in problems:
        assert path in str(caught.value)


def test_conflicts_of_job_and_layout_are_named_at_once():
    job = ampacity.Training("llama-3.1-405b", global_batch=100, seq_len=8192)
    layout = ampacity.Layout(tp=6, pp=5, dp=7, micro_batch=3)
    with pytest.raises(ampacity.InvalidSpec) as caught:
        ampacity.estimate(job, ampacity.cluster("meta-llama3-16k"), layout)
    paths = {problem.path for problem in caught.value.problems}
    assert {"layout.tp", "layout.pp", "training.global_batch"} <= paths


def test_too_many_accelerators():
    job = ampacity.Training("llama-3.1-8b", global_batch=64)
    with pytest.raises(ampacity.InvalidSpec, match="must not exceed"):
        ampacity.estimate(job, ampacity.cluster("dgx-h100-x1"), ampacity.Layout(tp=8, dp=2))
    with pytest.raises(ampacity.InvalidSpec, match="gpus"):
        ampacity.search(job, ampacity.cluster("dgx-h100-x1"), accelerators=16)


def test_does_not_fit_says_by_how_much():
    job = ampacity.Training("llama-3.1-405b", global_batch=16, seq_len=8192)
    cluster = ampacity.cluster("dgx-h100-x1")
    with pytest.raises(ampacity.Infeasible, match=r"GiB too much; the largest part is .* GiB"):
        ampacity.search(job, cluster)
    est = ampacity.estimate(job, cluster, ampacity.Layout(tp=8, recompute="full"))
    assert not est.memory.fits
    assert [warning.caveat for warning in est.warnings].count("does-not-fit") == 1


@pytest.mark.parametrize(("name", "near"), [("llama-3.1-450b", "llama-3.1-405b"), ("Llama 3.1 405B", "llama-3.1-405b")])
def test_unknown_names_suggest_the_nearest(name, near):
    with pytest.raises(ampacity.UnknownName, match=near):
        ampacity.model(name)
    with pytest.raises(ampacity.InvalidSpec, match=near):
        ampacity.Training(name)


@pytest.mark.parametrize("name", ["", " ", "\0", "é", "x" * 10_000])
def test_odd_names(name):
    with pytest.raises(ampacity.Error):
        ampacity.model(name)


def test_containers_that_hold_themselves():
    loop: list[object] = []
    loop.append(loop)
    table: dict[str, object] = {}
    table["model"] = table
    deep: object = 1
    for _ in range(100_000):
        deep = [deep]
    for value in (loop, table, deep):
        with pytest.raises(ampacity.InvalidSpec, match="nested this deeply"):
            ampacity.Layout(tp=value)  # type: ignore[arg-type]
    with pytest.raises(ampacity.InvalidSpec, match="nested this deeply"):
        ampacity.Layout.from_dict(table)


def test_keys_that_are_no_texts():
    with pytest.raises(ampacity.InvalidSpec, match="keys must be texts"):
        ampacity.Layout.from_dict({8: 1})  # type: ignore[dict-item]


def test_arrays_are_not_numbers():
    np = pytest.importorskip("numpy")
    for value in (np.array([8]), np.zeros((2, 2)), np.array("8"), np.float64("nan"), np.complex64(8)):
        with pytest.raises(ampacity.InvalidSpec, match=r"layout\.tp"):
            ampacity.Layout(tp=value)


def test_errors_of_the_users_own_objects_are_not_swallowed_into_crashes():
    class Broken:
        def __index__(self):
            raise RuntimeError("no")

    class Mapping(dict):
        def items(self):
            return [(1,)]

    with pytest.raises(ampacity.InvalidSpec):
        ampacity.Layout(tp=Broken())  # type: ignore[arg-type]
    with pytest.raises((ampacity.InvalidSpec, IndexError, TypeError, ValueError)):
        ampacity.Layout.from_dict(Mapping(tp=8))


def test_error_classes():
    assert issubclass(ampacity.InvalidSpec, ampacity.Error)
    assert issubclass(ampacity.InvalidSpec, ValueError)
    assert issubclass(ampacity.UnknownName, LookupError)
    assert issubclass(ampacity.Infeasible, ampacity.Error)
    with pytest.raises(ampacity.InvalidSpec) as caught:
        ampacity.Layout(tp=0)
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.problems == caught.value.problems
    assert str(again) == str(caught.value) == "layout.tp = 0: must be between 1 and 1e+07"


# ---------------------------------------------------------------------------------------------------------- files

GOOD = 'name = "mine"\nlayers = 4\nhidden = 512\nffn = 2048\nheads = 8\nvocab = 1000\n'
BAD_FILES = {
    "broken": (GOOD + "seq_len = [1,\n", r"not valid TOML.*line 7"),
    "no-value": ("name = \n", r"not valid TOML.*line 1"),
    "twice": (GOOD + "layers = 5\n", r"not valid TOML.*line 7"),
    "truncated": (GOOD.removesuffix(" = 1000\n"), r"not valid TOML.*line 6"),
    "unknown-key": (GOOD + "kv_head = 8\n", "did you mean kv_heads"),
    "nan": (GOOD.replace("512", "nan"), r"model\.hidden"),
    "infinite": (GOOD.replace("512", "inf"), r"model\.hidden"),
    "negative": (GOOD.replace("512", "-512"), r"model\.hidden"),
    "huge": (GOOD.replace("512", "1e30"), r"model\.hidden"),
    "text": (GOOD.replace("512", '"512"'), r"model\.hidden"),
    "date": (GOOD.replace("512", "2026-01-01"), r"model\.hidden"),
    "empty": ("", "model.name: is missing"),
    "other-kind": (GOOD + 'kind = "cluster"\n', "describes a cluster, not a model"),
    "deep": ("x = " + "[" * 5000 + "]" * 5000, "nested"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_file(tmp_path, case):
    text, message = BAD_FILES[case]
    file = tmp_path / f"{case}.toml"
    file.write_text(text)
    with pytest.raises(ampacity.InvalidSpec, match=message) as caught:
        ampacity.model(file)
    assert file.name in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"\x00\xff\xfe\x80binary", "not a UTF-8 text file"), (GOOD.encode("utf-16"), "not a UTF-8 text file")],
)
def test_binary_file(tmp_path, data, message):
    file = tmp_path / "binary.toml"
    file.write_bytes(data)
    with pytest.raises(ampacity.InvalidSpec, match=message):
        ampacity.model(file)


def test_bom_and_crlf_are_fine(tmp_path):
    file = tmp_path / "windows.toml"
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert ampacity.model(file).layers == 4


@pytest.mark.parametrize("find", [ampacity.model, ampacity.cluster, ampacity.load_catalogue])
def test_missing_file(tmp_path, find):
    with pytest.raises(ampacity.InvalidSpec, match="no such file"):
        find(tmp_path / "absent.toml")


def test_directories(tmp_path):
    with pytest.raises(ampacity.InvalidSpec, match=r"is a directory|cannot be read"):
        ampacity.model(tmp_path)
    with pytest.raises(ampacity.InvalidSpec, match="without TOML files"):
        ampacity.load_catalogue(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX permissions")
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root reads everything")
def test_unreadable_file(tmp_path):
    file = tmp_path / "secret.toml"
    file.write_text(GOOD)
    file.chmod(0)
    with pytest.raises(ampacity.InvalidSpec, match="cannot be read"):
        ampacity.model(file)


def test_a_catalogue_names_the_problems_of_all_files(tmp_path):
    (tmp_path / "a.toml").write_text("x = [")
    (tmp_path / "b.toml").write_bytes(b"\xff")
    with pytest.raises(ampacity.InvalidSpec) as caught:
        ampacity.load_catalogue(tmp_path)
    assert len(caught.value.problems) == 2


def test_a_catalogue_names_the_file_of_a_bad_document(tmp_path):
    (tmp_path / "a.toml").write_text('kind = "grid"\nname = "fine"\ncarbon_kg_per_mwh = 1\n')
    (tmp_path / "b.toml").write_text('kind = "grid"\nname = "dirty"\ncarbon_kg_per_mwh = -1\n')
    with pytest.raises(ampacity.InvalidSpec, match=r"b\.toml.*carbon_kg_per_mwh"):
        ampacity.load_catalogue(tmp_path)
