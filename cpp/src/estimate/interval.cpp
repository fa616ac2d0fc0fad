#include "estimate/interval.hpp"

#include <algorithm>
#include <cmath>

#include "estimate/interval_table.hpp"

namespace ampacity::interval {
namespace {

// Where no run of the scoreboard resembles the one asked for, nothing says how much the error grows. The rule: what is
// unlike counts as one more error of the size that those of whole sources have, independent of it (a format of a device
// family that was never run: twice, for its rate and for its speed inside a step); and each doubling of the devices
// beyond the largest measured job as a quarter of one, so that sixteen times the devices count as a source never seen.
constexpr double variances_of_format = 2;
constexpr double variances_of_software = 1;
constexpr double variances_of_frozen = 1;
constexpr double variances_of_doubling = 0.25;

// What shows of the host's time is what it needs less what the device needs, a difference of large numbers whose one
// part is Python. It was learnt on H100 hosts; DeepSeek-V3 on B200 without CUDA graphs shows less than half of what
// that gives in FP8 and more than twice of it in MXFP8 (two releases), Qwen3 30B-A3B there within a tenth. By rule: a
// third.
constexpr double host_spread = 1.0 / 3;
// Quantiles of the normal distribution at 75 and 95 %.
constexpr double normal_50 = 0.674;
constexpr double normal_90 = 1.645;

/// Whether `pair` is "family/format".
bool is_pair(std::string_view pair, std::string_view family, std::string_view format) {
  return pair.size() == family.size() + 1 + format.size() && pair.starts_with(family) && pair.ends_with(format) &&
         pair[family.size()] == '/';
}

}  // namespace

double Unmeasured::widening() const {
  return 1 + (format ? variances_of_format : 0) + (software ? variances_of_software : 0) +
         (frozen ? variances_of_frozen : 0) + variances_of_doubling * doublings;
}

double Unmeasured::host() const {
  return host_spread * waiting;
}

Unmeasured unmeasured(const Training& job, const Accelerator& device, std::int64_t accelerators, double waiting) {
  // Both 16-bit formats run alike.
  const Precision format = job.precision == Precision::fp16 ? Precision::bf16 : job.precision;
  const auto ran = [&](Precision as) {
    return std::any_of(formats.begin(), formats.end(),
                       [&](std::string_view pair) { return is_pair(pair, device.architecture.name, name_of(as)); });
  };
  Unmeasured found;
  found.format = !ran(format) && !(format == Precision::bf16 && ran(Precision::fp16));
  found.frozen = job.is_frozen();
  found.waiting = waiting;
  found.software = std::find(software.begin(), software.end(), job.software.name) == software.end();
  const double ratio = static_cast<double>(accelerators) / largest_job;
  found.doublings = ratio > 1 ? std::log2(ratio) : 0;
  return found;
}

Interval interval_of(const Training& job, const Unmeasured& unmeasured, double step_time_s) {
  const double wider = std::sqrt(unmeasured.widening());
  const bool moe = job.model.is_moe();
  const double host = unmeasured.host();
  const auto with_host = [&](double half_width, double normal) {
    return host > 0 ? std::hypot(wider * half_width, normal * host) : wider * half_width;
  };
  const double factor_50 = std::exp(with_host(moe ? moe_half_width_50 : dense_half_width_50, normal_50));
  const double factor_90 = std::exp(with_host(moe ? moe_half_width_90 : dense_half_width_90, normal_90));
  return {step_time_s / factor_50, step_time_s * factor_50, step_time_s / factor_90, step_time_s * factor_90};
}

}  // namespace ampacity::interval
