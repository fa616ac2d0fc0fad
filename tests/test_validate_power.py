"""``validate("power")``: machines in HPL, power logs of nodes, statements on sites."""

from __future__ import annotations

import statistics

import pytest

import ampacity as amp


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


def test_means_of_nodes_within_5_percent(result):
    assert statistics.mean(errors(result, "node_mean_w")) < 0.05


def test_peaks_of_nodes_within_10_percent(result):
    assert statistics.mean(errors(result, "node_peak_w")) < 0.10


def test_gpt3_on_512_h100(result):
    """MLPerf Training v4.0: 6.85 kW a node at the inlet, percentiles of 5.85 and 7.22 kW."""
    rows = {row.quantity: row for row in result.rows if row.row_id == "pow-007"}
    for quantity in ("node_mean_w", "node_p5_w", "node_p95_w"):
        assert rows[quantity].error_fraction == pytest.approx(0, abs=0.07), quantity


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
