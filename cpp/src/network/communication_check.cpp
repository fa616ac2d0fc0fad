#include "network/communication_check.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>

#include "ampacity/error.hpp"
#include "base/text.hpp"
#include "network/collective_steps.hpp"
#include "network/parts.hpp"
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
    if (collective_.algorithm == CollectiveAlgorithm::hierarchical || spans_domains(collective_.algorithm)) {
      found = hierarchy();
    }
    algorithms(found);
    unequal_parts();
    if (problems_.size() == before) switches(found);
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

  void unequal_parts() {
    const std::span<const double> matrix = collective_.matrix;
    if (matrix.empty()) return;
    const auto count = static_cast<std::size_t>(collective_.ranks);
    if (collective_.kind != CollectiveKind::all_to_all) return add("matrix", "given", "is for all_to_all only");
    if (collective_.algorithm == CollectiveAlgorithm::hierarchical) {
      return add("matrix", "given", "needs direct or pairwise", "levels would have to be of equal parts");
    }
    if (collective_.bytes != 0) {
      add("bytes", digits_text(collective_.bytes), "must be left out where a matrix says what is sent");
    }
    if (matrix.size() != count * count) {
      return add("matrix", std::to_string(matrix.size()) + " values",
                 "must have a row and a column for each of the " + std::to_string(count) + " ranks of a group");
    }
    std::size_t named = 0;
    for (std::size_t i = 0; i < matrix.size() && named < named_at_most; ++i) {
      if (matrix[i] >= 0 && matrix[i] <= largest_count) continue;
      add(("matrix[" + std::to_string(i / count) + "][" + std::to_string(i % count) + ']').c_str(),
          digits_text(matrix[i]), "must be between 0 and " + digits_text(largest_count));
      ++named;
    }
  }

  /// Algorithms that leave work to switches need ranks that are below them.
  void switches(const std::vector<std::int64_t>& levels) {
    if (spans_domains(collective_.algorithm)) {
      if (collective_.chunks != 1) add("chunks", std::to_string(collective_.chunks), "must be 1: it is one pipeline");
      if (levels[1] < 2) {
        add("algorithm", name_of(collective_.algorithm), "needs ranks in several scale-up domains", "try nvls");
      }
      if (collective_.algorithm == CollectiveAlgorithm::nvls_tree && levels[0] < 2) {
        add("algorithm", name_of(collective_.algorithm), "needs several ranks in every scale-up domain");
      }
      return;
    }
    std::int64_t stride = 1;
    for (std::size_t level = 0; level < levels.size(); ++level) {
      const bool used = levels[level] > 1 && algorithm_on(collective_, level) == CollectiveAlgorithm::nvls;
      if (used && !in_domains(levels[level], stride)) {
        add("algorithm", name_of(CollectiveAlgorithm::nvls), "needs the ranks of a level in one scale-up domain",
            "nvls_tree joins several domains");
      }
      stride *= levels[level];
    }
  }
  /// Whether ranks that differ in one digit share a scale-up domain.
  [[nodiscard]] bool in_domains(std::int64_t length, std::int64_t stride) const {
    const std::int64_t domain = network_.plan().options.domain;
    if (domain <= 1) return false;
    const std::span<const std::int64_t> endpoints = collective_.endpoints;
    for (std::size_t i = 0; i < endpoints.size(); ++i) {
      const std::int64_t rank = static_cast<std::int64_t>(i) % collective_.ranks;
      const std::int64_t first = rank - rank / stride % length * stride;
      if (endpoints[i] / domain != endpoints[i - static_cast<std::size_t>(rank - first)] / domain) return false;
    }
    return true;
  }

  /// The levels that are given, or those that scale-up domains make.
  std::vector<std::int64_t> hierarchy() {
    if (!collective_.levels.empty() && !spans_domains(collective_.algorithm)) {
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

  static std::string name_of(CollectiveAlgorithm algorithm) {
    return std::string(EnumNames<CollectiveAlgorithm>::names[static_cast<std::size_t>(algorithm)]);
  }

  void algorithms(const std::vector<std::int64_t>& levels) {
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
      const bool levels_of_its_own =
          algorithm == CollectiveAlgorithm::hierarchical || algorithm == CollectiveAlgorithm::nvls_tree;
      std::string problem = levels_of_its_own    ? "has levels of its own"
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
    const double batches = rules.routing == Routing::flowlet ? most_batches : 1;
    flows +=
        sends * static_cast<double>(collectives[i].endpoints.size()) * static_cast<double>(rules.queue_pairs) * batches;
    if (flows <= most_flows) continue;
    problems.push_back({name, digits_text(flows) + " flows",
                        "must have at most " + digits_text(most_flows) + " together",
                        "fewer groups, or a hierarchical algorithm"});
  }
  if (!problems.empty()) throw InvalidSpec(std::move(problems));
  return levels;
}

}  // namespace ampacity::network
