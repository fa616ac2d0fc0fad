#include "result_text.hpp"

#include <cmath>

#include "conversion.hpp"

namespace ampacity::python {
namespace {

/// The key without its unit, where the unit is in the name of the table.
std::string without(std::string_view key, std::string_view suffix) {
  if (key.size() > suffix.size() && key.substr(key.size() - suffix.size()) == suffix) key.remove_suffix(suffix.size());
  return std::string(key);
}

template <class Result>
void add_items(py::dict& table, const Result& result, std::string_view suffix) {
  std::apply([&](const auto&... item) { ((table[py::str(without(item.key, suffix))] = result.*item.member), ...); },
             Described<Result>::items());
}

py::dict layout_dict(const Estimate& estimate) {
  py::dict layout = to_python(encode(estimate.layout));
  layout["global_batch"] = estimate.global_batch;
  layout["seq_len"] = estimate.seq_len;
  layout["precision"] = std::string(name_of(estimate.precision));
  return layout;
}

py::list warning_list(const Estimate& estimate) {
  py::list texts;
  for (const Warning& warning : estimate.warnings) texts.append(warning.text());
  return texts;
}

std::string format(const char* pattern, double value) {
  return py::str(pattern).format(value);
}

}  // namespace

Numbers breakdown_dict(const Breakdown& breakdown) {
  py::dict table;
  add_items(table, breakdown, "_s");
  return table;
}

Numbers interval_dict(const Interval& interval) {
  py::dict table;
  add_items(table, interval, "");
  return table;
}

Dict memory_dict(const Memory& memory) {
  py::dict table;
  table["total"] = memory.total_bytes();
  add_items(table, memory, "_bytes");
  table["allocated"] = memory.allocated_bytes();
  table["reserved"] = memory.reserved_bytes();
  table["fits"] = memory.fits();
  return table;
}

Dict stage_dict(const StageMemory& stage) {
  py::dict table;
  table["stage"] = stage.stage;
  table["layers"] = stage.layers;
  table["micro_batches_in_flight"] = stage.micro_batches_in_flight;
  table["memory_bytes"] = memory_dict(stage.memory);
  return table;
}

Numbers power_dict(const Power& power) {
  py::dict table;
  table["gpu_mean_w"] = power.gpu_mean_w;
  table["gpu_peak_w"] = power.gpu_peak_w;
  table["gpu_min_w"] = power.gpu_min_w;
  table["it_mean_mw"] = power.it_mean_w / watts_per_mw;
  table["it_peak_mw"] = power.it_peak_w / watts_per_mw;
  table["it_nameplate_mw"] = power.it_nameplate_w / watts_per_mw;
  table["facility_mean_mw"] = power.facility_mean_w / watts_per_mw;
  table["facility_peak_mw"] = power.facility_peak_w / watts_per_mw;
  table["swing_mw"] = power.swing_w / watts_per_mw;
  return table;
}

Numbers energy_dict(const StepEnergy& energy) {
  py::dict table;
  std::apply([&](const auto&... item) { ((table[item.key] = energy.*item.member), ...); },
             Described<StepEnergy>::items());
  table["site_j"] = energy.site_j();
  return table;
}

/// JSON knows no infinity: a job that never fails has no time between failures.
py::object finite_or_none(double number) {
  return std::isfinite(number) ? py::object(py::float_(number)) : py::object(py::none());
}

MaybeNumbers run_dict(const Run& run) {
  py::dict table;
  table["tokens"] = run.tokens;
  table["steps"] = run.steps;
  table["goodput_fraction"] = run.goodput_fraction;
  table["mtbf_h"] = finite_or_none(run.mtbf_s / 3600);
  table["checkpoint_interval_s"] = finite_or_none(run.checkpoint_interval_s);
  table["days"] = run.duration_s / seconds_per_day;
  table["energy_mwh"] = run.energy_j / joules_per_mwh;
  table["carbon_t"] = run.carbon_kg / 1e3;
  table["water_m3"] = run.water_l / 1e3;
  table["energy_cost_usd"] = run.energy_cost_usd;
  table["capex_usd"] = run.capex_usd;
  table["homes_equivalent"] = run.homes_equivalent;
  return table;
}

Dict estimate_dict(const Estimate& estimate) {
  py::dict table;
  table["model"] = estimate.model;
  table["cluster"] = estimate.cluster;
  table["gpus"] = estimate.accelerators;
  table["layout"] = layout_dict(estimate);
  table["step_time_s"] = estimate.step_time_s;
  table["interval"] = interval_dict(estimate.interval);
  table["tokens_per_s"] = estimate.tokens_per_s;
  table["tokens_per_s_per_gpu"] = estimate.tokens_per_s / static_cast<double>(estimate.accelerators);
  table["tflops_per_gpu"] = estimate.flops_per_s_per_accelerator / 1e12;
  table["mfu_fraction"] = estimate.mfu_fraction;
  table["breakdown_s"] = breakdown_dict(estimate.breakdown);
  table["memory_bytes"] = memory_dict(estimate.memory);
  py::list stages;
  for (const StageMemory& stage : estimate.memory_stages()) stages.append(stage_dict(stage));
  table["memory_stages"] = stages;
  table["power"] = power_dict(estimate.power);
  table["run"] = run_dict(estimate.run);
  table["warnings"] = warning_list(estimate);
  return table;
}

std::string estimate_text(const Estimate& estimate) {
  return "<Estimate " + estimate.model + " on " + estimate.cluster + ": " + std::to_string(estimate.accelerators) +
         " accelerators, " + format("{:.4g}", estimate.step_time_s) + " s/step, " +
         format("{:.1%}", estimate.mfu_fraction) + " MFU, " + (estimate.memory.fits() ? "fits" : "does not fit") + ">";
}

std::string estimate_html(const Estimate& estimate) {
  const py::object escape = py::module_::import("html").attr("escape");
  std::string rows;
  const auto row = [&](const char* label, const std::string& value) {
    rows += "<tr><th style='text-align:left'>" + std::string(label) + "</th><td>" + escape(value).cast<std::string>() +
            "</td></tr>";
  };
  row("model", estimate.model);
  row("cluster", estimate.cluster);
  row("layout", literal_of(estimate.layout, "Layout"));
  row("step time", format("{:.4g} s (90 %: ", estimate.step_time_s) + format("{:.3g} to ", estimate.interval.low_90_s) +
                       format("{:.3g} s)", estimate.interval.high_90_s));
  row("tokens/s", format("{:,.0f}", estimate.tokens_per_s));
  row("MFU", format("{:.1%}", estimate.mfu_fraction));
  row("memory per device", format("{:.1f} GiB of ", estimate.memory.total_bytes() / (1 << 30)) +
                               format("{:.1f} GiB", estimate.memory.capacity_bytes / (1 << 30)));
  row("IT power, mean", format("{:.2f} MW", estimate.power.it_mean_w / watts_per_mw));
  row("IT power, peak", format("{:.2f} MW", estimate.power.it_peak_w / watts_per_mw));
  row("run", format("{:.1f} days, ", estimate.run.duration_s / seconds_per_day) +
                 format("{:,.0f} MWh", estimate.run.energy_j / joules_per_mwh));
  for (const Warning& warning : estimate.warnings) row("warning", warning.text());
  return "<table>" + rows + "</table>";
}

}  // namespace ampacity::python
