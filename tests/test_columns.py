"""What all results made of columns have in common."""

from __future__ import annotations

import numpy as np
import pytest

import ampacity as amp


@pytest.fixture(scope="module")
def tables():
    job = amp.Training("llama-3.1-8b", global_batch=64, seq_len=8192)
    cluster = amp.cluster("dgx-h100-x1")
    sim = amp.simulate(job, cluster, amp.Layout(tp=2, dp=4, recompute="full"), seed=7)
    layouts = amp.estimate_layouts(job, cluster, tp=[1, 2, 2], dp=[8, 4, 3], recompute="full")
    return {
        "devices": sim.devices,
        "power": sim.power_trace(1e-2),
        "layouts": layouts,
        "nodes": sim.by("node"),
        "slices": sim.slices([0, 7]),
    }


NAMES = ["devices", "power", "layouts", "nodes", "slices"]


@pytest.mark.parametrize("name", NAMES)
def test_columns_are_read_only_arrays_by_name_and_attribute(tables, name):
    table = tables[name]
    assert len(table) == len(list(table)) == len(table.to_dict())
    assert set(table) <= set(dir(table))
    for key in table:
        column = table[key]
        assert column.shape == (table.rows,)
        np.testing.assert_array_equal(column, getattr(table, key))
        assert not column.flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            column[0] = column[0]
    first = next(iter(table))
    with pytest.raises(KeyError, match=f"did you mean {first}"):
        table[first + "x"]
    with pytest.raises(AttributeError, match=f"did you mean {first}"):
        getattr(table, first + "x")
    for change in (lambda: setattr(table, first, 1), lambda: delattr(table, "_keys"), lambda: setattr(table, "new", 1)):
        with pytest.raises(AttributeError, match="is immutable"):
            change()


def test_notebooks_show_a_line_a_column(tables):
    for name in ("devices", "power", "nodes", "slices"):
        html = tables[name]._repr_html_()
        assert html.count("<tr>") == 1 + len(tables[name])
        for key in tables[name]:
            assert f"<td>{key}</td>" in html
    assert f"<td>{tables['devices']['joules'].max():.6g}</td>" in tables["devices"]._repr_html_()


@pytest.mark.parametrize("name", NAMES)
def test_data_frames_hold_the_columns(tables, name):
    table = tables[name]
    pandas = pytest.importorskip("pandas")
    assert table.to_pandas().equals(pandas.DataFrame(table.to_dict()))
    pytest.importorskip("pyarrow")
    arrow = table.to_arrow()
    assert arrow.column_names == list(table)
    for key in table:
        np.testing.assert_array_equal(np.array(arrow[key].to_pylist()), table[key], err_msg=key)


@pytest.mark.parametrize("name", NAMES)
def test_polars_frames_hold_the_columns(tables, name):
    table = tables[name]
    polars = pytest.importorskip("polars")
    assert table.to_polars().equals(polars.DataFrame(table.to_dict()))


def test_arrow_looks_at_the_same_memory(tables):
    pytest.importorskip("pyarrow")
    devices = tables["devices"]
    arrow = devices.to_arrow()
    places = {"stage", "replica", "node", "rack", "hall", "peer"}  # made when asked for
    for key in set(devices) - places:
        assert arrow[key].chunk(0).buffers()[1].address == devices[key].ctypes.data, key
    stream = pytest.importorskip("pyarrow").RecordBatchReader.from_stream(devices)
    assert stream.read_all().equals(arrow)
