#include "step/crews.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "schedule/rules.hpp"
#include "workload/stages.hpp"

namespace ampacity::step {
namespace {

/// Partitions as a job fills them: what exceeds the cluster counts as more of the last kind.
class Filled {
 public:
  explicit Filled(const Cluster& cluster) : cluster_(cluster) {}

  [[nodiscard]] std::size_t kind_of(std::int64_t accelerator) const {
    std::size_t kind = 0;
    std::int64_t end = 0;
    for (; kind + 1 < cluster_.partitions.size(); ++kind) {
      end += cluster_.partitions[kind].accelerators;
      if (accelerator < end) break;
    }
    return kind;
  }
  /// The first accelerator behind that kind.
  [[nodiscard]] std::int64_t end_of(std::size_t kind) const {
    if (kind + 1 == cluster_.partitions.size()) return std::numeric_limits<std::int64_t>::max();
    std::int64_t end = 0;
    for (std::size_t k = 0; k <= kind; ++k) end += cluster_.partitions[k].accelerators;
    return end;
  }

 private:
  const Cluster& cluster_;
};

void add(std::vector<Crew>& crews, const Crew& crew) {
  if (!crews.empty() && crews.back().kind == crew.kind && crews.back().micro_batches == crew.micro_batches) {
    crews.back().replicas += crew.replicas;
  } else {
    crews.push_back(crew);
  }
}

/// What a kind takes for micro-batches, as a line through two numbers of them.
struct Line {
  double start_s = 0;
  double each_s = 0;
};

/// How many micro-batches a replica may have more than another: what its schedule needs them to be multiples of.
std::int64_t granule(const Layout& layout) {
  if (layout.schedule == Schedule::one_f_one_b && layout.vp > 1) return layout.pp;
  return layout.schedule == Schedule::dualpipe ? 2 : 1;
}

bool possible(const Layout& layout, std::int64_t micro_batches) {
  return micro_batches > 0 &&
         schedule::broken_rule(layout.schedule, layout.pp, layout.vp, micro_batches).rule == nullptr;
}

double slowest(const std::vector<Crew>& crews, const std::function<double(std::size_t, std::int64_t)>& step_s) {
  double slowest_s = 0;
  for (const Crew& crew : crews) slowest_s = std::max(slowest_s, step_s(crew.kind, crew.micro_batches));
  return slowest_s;
}

/// Whole micro-batches for each crew, none of which ends behind `end_s` by more than the last that it takes.
std::vector<std::int64_t> rounded_down(const std::vector<Crew>& crews, const std::vector<Line>& lines, double end_s,
                                       std::int64_t step) {
  std::vector<std::int64_t> batches;
  batches.reserve(crews.size());
  for (std::size_t i = 0; i < crews.size(); ++i) {
    const auto most = static_cast<std::int64_t>((end_s - lines[i].start_s) / lines[i].each_s);
    batches.push_back(most / step * step);
  }
  return batches;
}

}  // namespace

std::size_t kinds_of(const Cluster& cluster, const Layout& layout) {
  return Filled(cluster).kind_of(layout.accelerators() - 1) + 1;
}

bool spans_kinds(const Cluster& cluster, const Layout& layout) {
  return cluster.partitions.size() > 1 && layout.accelerators() > cluster.partitions.front().accelerators;
}

std::vector<Crew> crews_by_kind(const Cluster& cluster, const Layout& layout, std::int64_t micro_batches,
                                std::span<const double> step_s) {
  const Filled filled(cluster);
  const std::int64_t together = workload::replicas_together(layout);
  const std::int64_t devices = layout.accelerators() / layout.dp * together;
  std::vector<Crew> crews;
  for (std::int64_t first = 0; first < layout.dp; first += together) {
    const std::int64_t at = first / together * devices;
    std::size_t kind = filled.kind_of(at);
    const std::size_t last = filled.kind_of(at + devices - 1);
    std::int64_t sets = 1;
    if (last == kind) {
      const std::int64_t whole = (filled.end_of(kind) - at) / devices;
      sets = std::min(whole, (layout.dp - first) / together);
    }
    for (std::size_t k = kind; k <= last; ++k) {
      if (step_s[k] > step_s[kind]) kind = k;
    }
    add(crews, {kind, sets * together, micro_batches});
    first += (sets - 1) * together;
  }
  return crews;
}

std::vector<Crew> balanced(const std::vector<Crew>& equal, const Layout& layout,
                           const std::function<double(std::size_t, std::int64_t)>& step_s) {
  if (equal.size() < 2) return equal;
  const std::int64_t step = granule(layout);
  const std::int64_t share = equal.front().micro_batches;
  const std::int64_t apart = std::max<std::int64_t>(1, share / (4 * step)) * step;
  std::vector<Line> lines;
  lines.reserve(equal.size());
  double weight = 0;
  double work = 0;
  for (const Crew& crew : equal) {
    const double here_s = step_s(crew.kind, share);
    const double each_s = (step_s(crew.kind, share + apart) - here_s) / static_cast<double>(apart);
    lines.push_back({here_s - each_s * static_cast<double>(share), each_s});
    const auto replicas = static_cast<double>(crew.replicas);
    weight += replicas / each_s;
    work += replicas * (static_cast<double>(share) + lines.back().start_s / each_s);
  }
  const std::vector<std::int64_t> batches = rounded_down(equal, lines, work / weight, step);
  std::int64_t left = 0;
  for (std::size_t i = 0; i < equal.size(); ++i) {
    if (!possible(layout, batches[i])) return equal;
    left += equal[i].replicas * (share - batches[i]);
  }
  // What rounding left over goes to those that end first with one more, set by set.
  std::vector<std::pair<double, std::size_t>> next;
  next.reserve(equal.size());
  for (std::size_t i = 0; i < equal.size(); ++i) {
    next.emplace_back(lines[i].start_s + lines[i].each_s * static_cast<double>(batches[i] + step), i);
  }
  std::sort(next.begin(), next.end());
  const std::int64_t together = workload::replicas_together(layout);
  std::vector<std::int64_t> more(equal.size(), 0);
  for (const auto& [seconds, i] : next) {
    const std::int64_t sets = std::min(left / (step * together), equal[i].replicas / together);
    more[i] = std::max<std::int64_t>(0, sets) * together;
    left -= more[i] * step;
  }
  if (left != 0) return equal;
  std::vector<Crew> crews;
  for (std::size_t i = 0; i < equal.size(); ++i) {
    if (more[i] > 0) add(crews, {equal[i].kind, more[i], batches[i] + step});
    if (more[i] < equal[i].replicas) add(crews, {equal[i].kind, equal[i].replicas - more[i], batches[i]});
  }
  return slowest(crews, step_s) < slowest(equal, step_s) ? crews : equal;
}

std::int64_t stages_in_front(const Cluster& cluster, const Layout& layout, bool front_is_slower) {
  const std::int64_t devices = layout.accelerators() / layout.pp;
  const std::int64_t first = cluster.partitions.front().accelerators;
  return front_is_slower ? (first + devices - 1) / devices : first / devices;
}

}  // namespace ampacity::step
