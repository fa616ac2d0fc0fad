"""``validate("power")``: machines in HPL, power logs of nodes, statements on sites."""

from __future__ import annotations

import statistics

import numpy as np
import pytest

import ampacity as amp
from ampacity._scoreboard import power_nodes


@pytest.fixture(scope="module")
def result():
    return amp.validate("power")


def errors(result, quantity, source=""):
    rows = [row for row in result.rows if row.quantity == quantity and source in row.source_id]
    return [abs(row.error_fraction) for row in rows if row.error_fraction is not None]


def test_every_row_is_predicted_or_says_why_not(result):
    assert all((row.error_fraction is None) == (row.skipped is not None) for row in result.rows)
    assert sum(row.skipped is not None for row in result.rows) <= 6


def test_hpl_machines_within_5_percent_and_the_usual_rule_beside_them(result):
    rows = [row for row in result.rows if row.source_id == "Top500 HPL"]
    assert len(rows) == 7
    assert statistics.mean(abs(row.error_fraction) for row in rows) < 0.05
    rule = statistics.mean(abs(row.rule_of_thumb / row.measured - 1) for row in rows)
    assert rule > 0.10  # accelerators x TDP


BENCHMARKS = ["bert 8", "gpt3 512", "llama2_70b_lora 8", "llama2_70b_lora 64", "llama2_70b_lora 512"]


@pytest.mark.parametrize("runs", BENCHMARKS)
def test_means_and_peaks_of_nodes_within_5_and_10_percent(result, runs):
    """Mean errors over the inlets and supplies of three runs each."""
    assert statistics.mean(errors(result, "node_mean_w", runs)) < 0.05
    assert statistics.mean(errors(result, "node_peak_w", runs)) < 0.10


@pytest.mark.parametrize("row_id", ["pow-007", "pow-022"])
def test_gpt3_on_512_h100(result, row_id):
    """MLPerf Training v4.0: 6.85 kW a node at the inlet, percentiles of 5.85 and 7.22 kW; and behind the supplies."""
    rows = {row.quantity: row for row in result.rows if row.row_id == row_id}
    for quantity in ("node_mean_w", "node_p5_w", "node_p95_w"):
        assert rows[quantity].error_fraction == pytest.approx(0, abs=0.07), quantity


def test_a_mean_is_that_of_the_middle_of_a_run():
    """What waits in the first tenth of a run, or is among its lowest tenth, is left out of the source's means."""
    level = power_nodes.Level(700.0, np.array([650.0, 750.0]), 100.0)
    assert power_nodes._device_w(level, "mean", 0.05) == 700
    assert power_nodes._device_w(level, "mean", 0.5) == pytest.approx(0.5 * 700 + 0.5 * 100)


def test_energy_of_gpt3_on_512_h100(result):
    """415 kWh in 56.9 minutes.

    The log says that its estimate of switches (59.57 kW) is included, but 64 nodes at their logged mean of 6,853 W use
    415.6 kWh without it, and 472 with it.
    """
    row = next(row for row in result.rows if row.row_id == "pow-007" and row.quantity == "node_mean_w")
    assert 64 * row.measured * 3411 / 3.6e6 == pytest.approx(415.2, rel=0.005)
    assert 64 * row.predicted * 3411 / 3.6e6 == pytest.approx(415.2, rel=0.07)


def test_a_machine_whose_rate_is_not_stated_is_taken_as_its_family(tmp_path):
    table = tmp_path / "more.csv"
    table.write_text(
        "row_id,system,kind,n_devices,device,n_nodes,measured_mw,source_and_arithmetic\n"
        "a,Some machine,HPL,1000,MI250X,250,0.62,\n"
        "b,Some machine,HPL,1000,MI250X,250,0.62,at 30 PF\n"
        "c,Some machine,HPL,1000,TPU v4,250,0.2,at 30 PF\n"
        "d,Some machine,HPL,1000,Nonesuch,250,0.2,at 30 PF\n"
    )
    family, stated, without, unknown = amp.validate("power", data=table).rows
    assert "as its family" in family.assumed
    assert "as its family" not in stated.assumed
    assert stated.predicted < family.predicted
    assert without.skipped is not None
    assert "FP64" in without.skipped
    assert unknown.skipped is not None
    assert "unknown GPU" in unknown.skipped


def test_one_line_of_the_text_names_the_rule(result):
    from ampacity._validation_text import validation_text

    assert "of the rule" in validation_text(result)
