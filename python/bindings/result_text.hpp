// Results as dictionaries (the JSON of the command line) and as short texts.
#pragma once

#include <string>

#include "bind_result.hpp"

namespace ampacity::python {

inline constexpr double watts_per_mw = 1e6;
inline constexpr double seconds_per_day = 86400;
inline constexpr double joules_per_mwh = 3.6e9;

using Dict = py::typing::Dict<py::str, py::object>;
using Numbers = py::typing::Dict<py::str, py::float_>;
using MaybeNumbers = py::typing::Dict<py::str, py::typing::Optional<py::float_>>;

Numbers breakdown_dict(const Breakdown& breakdown);
Numbers interval_dict(const Interval& interval);
Dict memory_dict(const Memory& memory);
Dict stage_dict(const StageMemory& stage);
Numbers power_dict(const Power& power);
Numbers energy_dict(const StepEnergy& energy);
MaybeNumbers run_dict(const Run& run);
Dict estimate_dict(const Estimate& estimate);

/// One line: model, cluster, devices, step time, utilisation, memory.
std::string estimate_text(const Estimate& estimate);
std::string estimate_html(const Estimate& estimate);

/// `<Memory weights_bytes=..., ...>`
template <class Result>
std::string items_text(const Result& result, const char* name) {
  std::string text = "<" + std::string(name);
  const auto add = [&]<class T>(const Item<Result, T>& item) {
    const T& value = result.*item.member;
    std::string shown;
    if constexpr (std::is_enum_v<T>) {
      shown = name_of(value);
    } else if constexpr (std::is_same_v<T, double>) {
      shown = py::str("{:.6g}").format(value);
    } else {
      shown = literal(value);
    }
    text += " " + std::string(item.key) + "=" + shown;
  };
  std::apply([&](const auto&... item) { (add(item), ...); }, Described<Result>::items());
  return text + ">";
}

}  // namespace ampacity::python
