#include "network/communication_check.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>

#include "ampacity/error.hpp"
#include "base/text.hpp"
#include "network/collective_steps.hpp"
#include "network/plan.hpp"

namespace ampacity::network {
namespace {

using base::digits_text;

constexpr std::size_t named_at_most = 10;
constexpr double largest_count = 9007199254740992;  // 2^53
constexpr std::int64_t most_chunks = 4096;
constexpr double most_flows = 67108864;  // 2^26: some 5 GB

class Checker {
 public:
  Checker(const Network& network, const Collective& collective, std::string name, std::vector<Problem>& problems)
      : network_(network), collective_(collective), name_(std::move(name)), problems_(problems) {}

  std::vector<std::int64_t> levels() {
    const std::size_t before = problems_.size();
    amounts();
    members();
    if (problems_.size() > before) return {};
    std::vector<std::int64_t> found{collective_.ranks};
    if (collective_.algorithm == CollectiveAlgorithm::hierarchical) found = hierarchy();
    algorithms(found);
    return found;
  }

 private:
  void add(const char* field, std::string value, std::string rule, std::string hint = {}) {
    problems_.push_back({name_ + '.' + field, std::move(value), std::move(rule), std::move(hint)});
  }
  void amount(const char* field, double value, double most) {
    if (!(value >= 0) || value > most) add(field, digits_text(value), "must be between 0 and " + digits_text(most));
  }

  void amounts() {
    amount("bytes", collective_.bytes, largest_count);
    amount("start_s", collective_.start_s, 1e9);
    amount("step_latency_s", collective_.step_latency_s, 1);
    amount("reduce_bytes_per_s", collective_.reduce_bytes_per_s, 1e15);
    if (collective_.chunks < 1 || collective_.chunks > most_chunks) {
      add("chunks", std::to_string(collective_.chunks), "must be between 1 and " + std::to_string(most_chunks));
    }
  }

  void members() {
    const auto all = static_cast<std::int64_t>(collective_.endpoints.size());
    if (all == 0) return add("ranks", "no ranks", "must name an endpoint for every rank of every group");
    if (collective_.ranks < 1 || all % collective_.ranks != 0) {
      return add("ranks", std::to_string(collective_.ranks),
                 "must be the size of each group: divide the " + std::to_string(all) + " endpoints");
    }
    constexpr std::int64_t none = -1;
    std::vector<std::int64_t> last_group(static_cast<std::size_t>(network_.endpoints()), none);
    const auto place = [&](std::int64_t i) {
      return "ranks[" + std::to_string(i / collective_.ranks) + "][" + std::to_string(i % collective_.ranks) + ']';
    };
    std::size_t named = 0;
    for (std::int64_t i = 0; i < all && named < named_at_most; ++i) {
      const std::int64_t endpoint = collective_.endpoints[static_cast<std::size_t>(i)];
      const std::int64_t group = i / collective_.ranks;
      if (endpoint < 0 || endpoint >= network_.endpoints()) {
        add(place(i).c_str(), std::to_string(endpoint),
            "must be an endpoint, 0 to " + std::to_string(network_.endpoints() - 1));
        ++named;
      } else if (std::exchange(last_group[static_cast<std::size_t>(endpoint)], group) == group) {
        add(place(i).c_str(), std::to_string(endpoint), "is in this group twice");
        ++named;
      }
    }
  }

  /// The levels that are given, or those that scale-up domains make.
  std::vector<std::int64_t> hierarchy() {
    if (!collective_.levels.empty()) {
      std::int64_t product = 1;
      for (const std::int64_t length : collective_.levels) {
        product = length < 1 || length > collective_.ranks ? 0 : product * length;
        if (product > collective_.ranks) product = 0;
      }
      if (product != collective_.ranks) {
        std::string given;
        for (const std::int64_t length : collective_.levels)
          given += (given.empty() ? "" : " x ") + std::to_string(length);
        add("levels", given, "must multiply to the " + std::to_string(collective_.ranks) + " ranks of a group");
      }
      return collective_.levels;
    }
    const std::int64_t domain = network_.plan().options.domain;
    const std::span<const std::int64_t> endpoints = collective_.endpoints;
    std::int64_t members = 1;
    while (members < collective_.ranks &&
           endpoints[static_cast<std::size_t>(members)] / domain == endpoints[0] / domain) {
      ++members;
    }
    bool even = collective_.ranks % members == 0;
    for (std::size_t i = 0; even && i < endpoints.size(); ++i) {
      const std::size_t first = i - i % static_cast<std::size_t>(members);
      even = endpoints[i] / domain == endpoints[first] / domain;
    }
    if (!even) {
      add("levels", "none",
          "must be given where the ranks of a group do not fill scale-up domains in order, equally many each");
      return {};
    }
    return {members, collective_.ranks / members};
  }

  void algorithms(const std::vector<std::int64_t>& levels) {
    const auto name_of = [](CollectiveAlgorithm algorithm) {
      return std::string(EnumNames<CollectiveAlgorithm>::names[static_cast<std::size_t>(algorithm)]);
    };
    const std::string why = unable(collective_.kind, collective_.algorithm, collective_.ranks);
    if (!why.empty()) add("algorithm", name_of(collective_.algorithm), why);
    if (collective_.algorithm != CollectiveAlgorithm::hierarchical) return;
    const std::vector<CollectiveAlgorithm>& given = collective_.level_algorithms;
    if (given.size() > 1 && given.size() != levels.size()) {
      return add("level_algorithms", std::to_string(given.size()) + " algorithms",
                 "must be one, or one for each of the " + std::to_string(levels.size()) + " levels");
    }
    for (std::size_t level = 0; level < levels.size() && !given.empty(); ++level) {
      const CollectiveAlgorithm algorithm = given.size() == 1 ? given[0] : given[level];
      const bool top = level + 1 == levels.size() && !collective_.rotate;
      const bool all_to_all = collective_.kind == CollectiveKind::all_to_all;
      std::string problem = algorithm == CollectiveAlgorithm::hierarchical ? "has levels of its own"
                            : levels[level] == 1 ? ""
                                                 : unable(collective_.kind, algorithm, levels[level]);
      // Below the top an all-reduce scatters and gathers.
      if (problem.empty() && !top && !all_to_all && levels[level] > 1) {
        problem = unable(CollectiveKind::reduce_scatter, algorithm, levels[level]);
      }
      if (!problem.empty()) {
        add(("level_algorithms[" + std::to_string(level) + ']').c_str(), name_of(algorithm), problem,
            "on level " + std::to_string(level) + " of " + std::to_string(levels[level]) + " ranks");
      }
    }
  }

  const Network& network_;
  const Collective& collective_;
  std::string name_;
  std::vector<Problem>& problems_;
};

}  // namespace

std::vector<std::vector<std::int64_t>> checked_levels(const Network& network, std::span<const Collective> collectives,
                                                      const FlowRules& rules) {
  check(network.plan(), {}, rules, false);
  std::vector<Problem> problems;
  if (rules.routing == Routing::adaptive || rules.routing == Routing::flowlet) {
    // Both look at single flows, which are not followed where alike ones are run as one.
    problems.push_back({"routing", std::string(EnumNames<Routing>::names[static_cast<std::size_t>(rules.routing)]),
                        "must be d-mod-k, ecmp or spray for collectives", "spray is adaptive routing at its best"});
  }
  std::vector<std::vector<std::int64_t>> levels;
  double flows = 0;
  for (std::size_t i = 0; i < collectives.size(); ++i) {
    const std::string name = "collectives[" + std::to_string(i) + ']';
    levels.push_back(Checker(network, collectives[i], name, problems).levels());
    if (!problems.empty()) continue;
    // Counted before they are listed.
    double sends = 0;  // of an average rank
    for (std::size_t level = 0; level < levels[i].size(); ++level) {
      const CollectiveAlgorithm algorithm = algorithm_on(collectives[i], level);
      const bool others = algorithm == CollectiveAlgorithm::direct || algorithm == CollectiveAlgorithm::pairwise;
      const auto length = static_cast<double>(levels[i][level]);
      sends += others ? length - 1 : algorithm == CollectiveAlgorithm::ring ? 2 : 4 + std::log2(length);
    }
    flows += sends * static_cast<double>(collectives[i].endpoints.size()) * static_cast<double>(rules.queue_pairs);
    if (flows <= most_flows) continue;
    problems.push_back({name, digits_text(flows) + " flows",
                        "must have at most " + digits_text(most_flows) + " together",
                        "fewer groups, or a hierarchical algorithm"});
  }
  if (!problems.empty()) throw InvalidSpec(std::move(problems));
  return levels;
}

}  // namespace ampacity::network
