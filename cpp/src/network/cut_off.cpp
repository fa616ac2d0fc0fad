// Which endpoints failures part from the others.
#include <algorithm>
#include <numeric>

#include "network/plan.hpp"

namespace ampacity::network {
namespace {

/// Sets of nodes that are joined (Tarjan 1975, with path halving).
class Sets {
 public:
  explicit Sets(std::uint32_t nodes) : parent_(nodes) { std::iota(parent_.begin(), parent_.end(), 0U); }

  std::uint32_t root(std::uint32_t node) {
    while (parent_[node] != node) node = parent_[node] = parent_[parent_[node]];
    return node;
  }
  void join(std::uint32_t a, std::uint32_t b) {
    a = root(a);
    b = root(b);
    parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<std::uint32_t> parent_;
};

}  // namespace

// A cable joins its ends where both of its directions work: a connection needs an answer.
std::vector<std::int64_t> cut_off(const Network::Plan& plan) {
  if (plan.share.empty()) return {};
  Sets sets(plan.endpoints() + plan.switches());
  for (std::uint32_t link = 0; link < plan.visible_links(); ++link) {
    if (plan.share[link] > 0 && plan.share[plan.reverse(link)] > 0) {
      const LinkEnds ends = plan.ends(link);
      sets.join(ends.from, ends.to);
    }
  }
  std::vector<std::uint32_t> members(plan.endpoints() + plan.switches(), 0);
  for (std::uint32_t endpoint = 0; endpoint < plan.endpoints(); ++endpoint) ++members[sets.root(endpoint)];
  const auto largest = static_cast<std::uint32_t>(std::max_element(members.begin(), members.end()) - members.begin());
  std::vector<std::int64_t> found;
  for (std::uint32_t endpoint = 0; endpoint < plan.endpoints(); ++endpoint) {
    if (sets.root(endpoint) != largest) found.push_back(endpoint);
  }
  return found;
}

}  // namespace ampacity::network
