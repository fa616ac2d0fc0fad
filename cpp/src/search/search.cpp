#include "ampacity/search.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "ampacity/error.hpp"
#include "base/text.hpp"
#include "search/options.hpp"
#include "step/conflicts.hpp"
#include "step/pace.hpp"
#include "workload/memory.hpp"

namespace ampacity {
namespace {

using search_detail::Options;

/// The nearest batch to the wished one that splits over the layout's replicas.
std::int64_t split_batch(std::int64_t wish, std::int64_t at_once) {
  return std::max<std::int64_t>(1, (wish + at_once / 2) / at_once) * at_once;
}

class Search {
 public:
  Search(const Training& job, const Cluster& cluster, const LayoutChoice& choice, std::int64_t accelerators)
      : job_(job),
        cluster_(cluster),
        choice_(choice),
        accelerators_(accelerators),
        wish_(choice.global_batch.value_or(job.global_batch)),
        pacer_(cluster),
        options_(search_detail::options_of(job, cluster, choice, accelerators)) {}

  /// Tries all layouts with the wished batch; while twice the batch gives more accelerators work or much more
  /// throughput, again with twice the batch (unless the user fixed it). `exact` allows only layouts that use all
  /// accelerators.
  void run(bool exact) {
    constexpr double enough_gain = 1.25;
    exact_ = exact;
    std::vector<Candidate> before;
    for (target_batch_ = wish_; target_batch_ < wish_ * 65536; target_batch_ *= 2) {
      const double missed_before = nearest_miss_.memory_bytes;
      try_all();
      if (choice_.global_batch) return;
      // Where nothing fits and more replicas to shard over do not help, a larger batch will not either.
      if (candidates_.empty() && missed_before > 0 && nearest_miss_.memory_bytes >= missed_before) break;
      const bool busier = most_used(candidates_) > most_used(before);
      if (!before.empty() && !busier && throughput_of(candidates_) < enough_gain * throughput_of(before)) break;
      if (!candidates_.empty() || before.empty()) before = std::move(candidates_);
    }
    candidates_ = std::move(before);
  }

  [[nodiscard]] std::int64_t possible() const { return possible_; }
  [[nodiscard]] std::int64_t evaluated() const { return evaluated_; }
  [[nodiscard]] std::vector<Candidate>& candidates() { return candidates_; }
  [[nodiscard]] const Candidate& nearest_miss() const { return nearest_miss_; }

 private:
  void try_all() {
    candidates_.clear();
    Layout layout = search_detail::skeleton(choice_, accelerators_);
    for (const std::int64_t tp : options_.tp) {
      layout.tp = tp;
      for (const std::int64_t cp : options_.cp) {
        layout.cp = cp;
        for (const std::int64_t pp : options_.pp) {
          layout.pp = pp;
          if (!set_replicas(layout)) continue;
          for (const std::int64_t ep : options_.ep) {
            layout.ep = ep;
            if ((layout.tp * layout.cp * layout.dp) % ep == 0) try_schedules(layout);
          }
        }
      }
    }
  }

  /// Most accelerators that any candidate keeps busy.
  static std::int64_t most_used(const std::vector<Candidate>& candidates) {
    std::int64_t most = 0;
    for (const Candidate& candidate : candidates) most = std::max(most, candidate.layout.accelerators());
    return most;
  }
  static double throughput_of(const std::vector<Candidate>& candidates) {
    double most = 0;
    for (const Candidate& candidate : candidates) most = std::max(most, candidate.tokens_per_s);
    return most;
  }

  bool set_replicas(Layout& layout) const {
    const std::int64_t replica = layout.tp * layout.pp * layout.cp;
    if (replica > accelerators_) return false;
    if (choice_.dp) {
      layout.dp = *choice_.dp;
      return replica * layout.dp <= accelerators_;
    }
    if (exact_ && accelerators_ % replica != 0) return false;
    layout.dp = accelerators_ / replica;
    return true;
  }

  /// The nearest batch that splits, at most a tenth above the target. Where a larger batch than wished is tried anyway,
  /// one round less will do, if that is no less than wished. 0: none.
  [[nodiscard]] std::int64_t batch_near_target(std::int64_t at_once) const {
    const std::int64_t nearest = split_batch(target_batch_, at_once);
    if (nearest * 10 <= target_batch_ * 11) return nearest;
    return nearest - at_once >= wish_ ? nearest - at_once : 0;
  }

  void try_schedules(Layout layout) {
    for (const std::int64_t vp : search_detail::virtual_stages(job_.model, choice_, layout.pp)) {
      layout.vp = vp;
      for (const std::int64_t micro_batch : options_.micro_batch) {
        layout.micro_batch = micro_batch;
        // The interleaved schedule wants micro-batches in multiples of the pipeline, DualPipe in pairs.
        const std::int64_t at_once = layout.dp * micro_batch * search_detail::multiple_of_batches(layout);
        const std::int64_t batch = choice_.global_batch ? *choice_.global_batch : batch_near_target(at_once);
        if (batch < 1) continue;
        job_.global_batch = batch;
        if (!step::can_run(job_, layout)) continue;
        ++possible_;
        try_recompute(layout);
      }
    }
  }

  void try_recompute(Layout layout) {
    for (const search_detail::RecomputeOption& option : options_.recompute) {
      layout.recompute = option.recompute;
      layout.recompute_modules = option.modules;
      ++evaluated_;
      const step::Pace pace = pacer_.pace_of(job_, layout);
      const double memory_bytes = pace.memory.total_bytes();
      if (pace.memory.fits()) {
        const double step_s = pace.step.breakdown.total_s();
        const double tokens = static_cast<double>(job_.global_batch) * static_cast<double>(job_.seq_len);
        candidates_.push_back({layout, job_.global_batch, step_s, tokens / step_s, memory_bytes});
        return;  // more recomputation only costs time
      }
      if (nearest_miss_.memory_bytes == 0 || memory_bytes < nearest_miss_.memory_bytes) {
        nearest_miss_ = {layout, job_.global_batch, 0, 0, memory_bytes};
      }
    }
  }

  Training job_;  // a copy: its batch changes with the layout
  const Cluster& cluster_;
  const LayoutChoice& choice_;
  std::int64_t accelerators_;
  std::int64_t wish_;
  step::Pacer pacer_;
  Options options_;
  bool exact_ = false;
  std::int64_t target_batch_ = 0;
  std::int64_t possible_ = 0;
  std::int64_t evaluated_ = 0;
  std::vector<Candidate> candidates_;
  Candidate nearest_miss_;
};

std::string gib(double bytes) {
  const double value = std::round(bytes / 1073741824.0 * 10) / 10;
  return base::number_text(value) + " GiB";
}

/// Says by how much the layout that needs least is too large, and which part of it is largest.
Infeasible infeasible(Training job, const Cluster& cluster, const Candidate& miss) {
  job.global_batch = miss.global_batch;
  const Partition* smallest = &cluster.partitions.front();
  for (const Partition& partition : cluster.partitions) {
    if (partition.node.accelerator.memory_bytes < smallest->node.accelerator.memory_bytes) smallest = &partition;
  }
  const Memory memory = workload::memory_of(job, miss.layout, smallest->node.accelerator);
  std::pair<double, const char*> largest{memory.weights_bytes, "weights"};
  largest = std::max(largest, {memory.gradients_bytes, "gradients"});
  largest = std::max(largest, {memory.optimizer_bytes, "optimizer state"});
  largest = std::max(largest, {memory.activations_bytes, "activations"});
  const Layout& l = miss.layout;
  return Infeasible("nothing fits: " + job.model.name + " on " + cluster.name + " needs " + gib(memory.total_bytes()) +
                    " of " + gib(memory.capacity_bytes) + " a device at least (tp " + std::to_string(l.tp) + ", pp " +
                    std::to_string(l.pp) + ", cp " + std::to_string(l.cp) + ", dp " + std::to_string(l.dp) +
                    ", recompute " + std::string(name_of(l.recompute)) + "), " +
                    gib(memory.total_bytes() - memory.capacity_bytes) + " too much; the largest part is " +
                    largest.second + " with " + gib(largest.first));
}

/// How many accelerators the choice asks for.
std::int64_t wanted_accelerators(const Cluster& cluster, const LayoutChoice& choice) {
  if (choice.accelerators) return *choice.accelerators;
  if (choice.tp && choice.pp && choice.dp) return *choice.tp * *choice.pp * choice.cp.value_or(1) * *choice.dp;
  return cluster.accelerators();
}

bool all_degrees_fixed(const LayoutChoice& choice) {
  return choice.tp && choice.pp && choice.dp;
}

/// Problems of the choice itself, before anything is tried.
std::vector<Problem> choice_problems(const Training& job, const Cluster& cluster, const LayoutChoice& choice) {
  const Layout whole = search_detail::skeleton(choice, 1);
  std::vector<Problem> problems = step::out_of_range(job, cluster, whole);
  const std::int64_t has = cluster.accelerators();
  if (choice.accelerators && (*choice.accelerators < 1 || *choice.accelerators > has)) {
    problems.push_back({"gpus",
                        base::number_text(*choice.accelerators),
                        "must be between 1 and those of the cluster (" + base::number_text(has) + ")",
                        {}});
  }
  const std::int64_t fixed =
      choice.tp.value_or(1) * choice.pp.value_or(1) * choice.cp.value_or(1) * choice.dp.value_or(1);
  if (problems.empty() && !all_degrees_fixed(choice) && choice.accelerators && *choice.accelerators % fixed != 0) {
    problems.push_back(
        {"gpus",
         base::number_text(*choice.accelerators),
         "must be a multiple of the degrees that are given (tp x pp x cp x dp = " + base::number_text(fixed) + ")",
         {}});
  }
  if (choice.global_batch && *choice.global_batch < 1) {
    problems.push_back({"training.global_batch", base::number_text(*choice.global_batch), "must be at least 1", {}});
  }
  return problems;
}

/// Problems of the degrees that the choice fixes, where no layout agrees with it.
std::vector<Problem> fixed_problems(Training job, const Cluster& cluster, const LayoutChoice& choice,
                                    std::int64_t accelerators) {
  const Layout layout = search_detail::skeleton(choice, accelerators);
  if (choice.global_batch) {
    job.global_batch = *choice.global_batch;
  } else {
    job.global_batch = split_batch(job.global_batch, layout.dp * layout.micro_batch);
  }
  std::vector<Problem> problems = step::conflicts(job, cluster, layout);
  if (layout.accelerators() != accelerators && choice.accelerators) {
    problems.push_back({"layout",
                        base::number_text(layout.accelerators()),
                        "tp x pp x cp x dp (" + std::to_string(layout.tp) + " x " + std::to_string(layout.pp) + " x " +
                            std::to_string(layout.cp) + " x " + std::to_string(layout.dp) + ") must equal gpus (" +
                            std::to_string(accelerators) + ")",
                        {}});
  }
  return problems;
}

}  // namespace

SearchResult search(const Training& job, const Cluster& cluster, const LayoutChoice& choice, std::size_t keep) {
  std::vector<Problem> problems = choice_problems(job, cluster, choice);
  if (!problems.empty()) throw InvalidSpec(std::move(problems));
  const std::int64_t accelerators = wanted_accelerators(cluster, choice);
  if (all_degrees_fixed(choice)) {
    problems = fixed_problems(job, cluster, choice, accelerators);
    if (!problems.empty()) throw InvalidSpec(std::move(problems));
  }

  // A number of accelerators that the user names is used in full where that is possible.
  Search found(job, cluster, choice, accelerators);
  found.run(choice.accelerators.has_value());
  if (found.candidates().empty() && choice.accelerators) found.run(false);
  if (found.possible() == 0) {
    problems = fixed_problems(job, cluster, choice, accelerators);
    if (problems.empty()) {
      problems.push_back({"layout",
                          base::number_text(accelerators),
                          "accelerators cannot be laid out: no combination of tp, pp, cp and micro-batch divides the "
                          "model and the batch of " +
                              base::number_text(choice.global_batch.value_or(job.global_batch)),
                          {}});
    }
    throw InvalidSpec(std::move(problems));
  }
  if (found.candidates().empty()) throw infeasible(job, cluster, found.nearest_miss());

  std::vector<Candidate>& all = found.candidates();
  const auto faster = [](const Candidate& a, const Candidate& b) { return a.tokens_per_s > b.tokens_per_s; };
  SearchResult result;
  result.evaluated = found.evaluated();
  result.fitting = static_cast<std::int64_t>(all.size());
  std::stable_sort(all.begin(), all.end(), faster);
  all.resize(std::min(all.size(), std::max<std::size_t>(1, keep)));
  result.best = all.front().layout;
  result.global_batch = all.front().global_batch;
  result.candidates = std::move(all);
  return result;
}

Estimate estimate_fastest(const Training& job, const Cluster& cluster, const LayoutChoice& choice) {
  const SearchResult found = search(job, cluster, choice, 1);
  Training adjusted = job;
  adjusted.global_batch = found.global_batch;
  Estimate result = estimate(adjusted, cluster, found.best);

  const std::int64_t wanted = wanted_accelerators(cluster, choice);
  if (result.accelerators < wanted) {
    const auto idle = static_cast<double>(wanted - result.accelerators);
    result.warnings.push_back({Caveat::accelerators_unused, idle, static_cast<double>(wanted)});
  }
  const std::int64_t wish = choice.global_batch.value_or(job.global_batch);
  if (found.global_batch != wish) {
    result.warnings.push_back(
        {Caveat::uneven_batch, static_cast<double>(found.global_batch), static_cast<double>(wish)});
  }
  return result;
}

}  // namespace ampacity
