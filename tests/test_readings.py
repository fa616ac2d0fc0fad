"""Rows that mean something else than their table says."""

from __future__ import annotations

import pytest

from ampacity._scoreboard.layout import software_of
from ampacity._scoreboard.readings import READINGS, as_it_ran
from ampacity._scoreboard.rows import Row

CELLS = {"row_id": "a-1", "framework": "Megatron-DeepSpeed", "mbs": "1", "recompute_class": "full", "layers": "24"}


def read(source_id: str, **cells: str) -> tuple[Row, str]:
    return as_it_ran(Row(0, {**CELLS, "source_id": source_id, **cells}))


def test_other_sources_are_read_as_they_are():
    row, note = read("somebody")
    assert note == ""
    assert row.text("recompute_class") == "full"


def test_traced_layers():
    row, note = read("vtrain_single_node")
    assert (row.row_id, row.source_id) == ("a-1", "vtrain_single_node")
    assert row.text("recompute_class") == "none"
    assert row.required("layers") == 24  # the rest stays
    assert software_of(row)[0].name == "vtrain"
    assert "traced" in note


@pytest.mark.parametrize(("micro_batch", "stage_times_agree"), [(1, False), (2, True)])
def test_evidence_of_the_micro_batch_of_mt_nlg(micro_batch, stage_times_agree):
    # (m + 34) t for 35 stages; two measurements of one recipe differ by 2 %.
    step_times_s = {8: 60.1, 10: 50.2, 12: 44.4}
    stage_s = [t / (1920 / dp / micro_batch + 34) for dp, t in step_times_s.items()]
    assert (max(stage_s) / min(stage_s) < 1.02) == stage_times_agree
    assert read("mtnlg")[0].count("mbs") == 2


def test_each_reading_has_its_evidence():
    assert len({reading.source_id for reading in READINGS}) == len(READINGS)
    assert all(len(reading.evidence) > 100 and reading.note for reading in READINGS)


def test_benchmark_pages_of_two_releases():
    old, _ = software_of(Row(0, {"framework": "LLM Foundry", "features": "FSDP MP mode PURE"}))
    new, _ = software_of(Row(0, {"framework": "LLM Foundry", "features": "FSDP MP mode DEFAULT"}))
    assert (old.checkpoint_stops_early, old.gradient_reduce_bytes) == (False, 2)
    assert (new.checkpoint_stops_early, new.gradient_reduce_bytes) == (True, 4)
