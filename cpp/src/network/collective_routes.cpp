#include "network/collective_routes.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>

#include "base/random.hpp"
#include "network/plan.hpp"
#include "network/streams.hpp"

namespace ampacity::network {
namespace {

constexpr std::uint32_t nobody = std::numeric_limits<std::uint32_t>::max();

/// Adaptive flows that use each link: those of the step that chooses now, and of other collectives, which run at the
/// same time, the step that has most of them there.
class Occupation {
 public:
  explicit Occupation(std::size_t links) : flows_on_(links, 0), before_(links, 0), most_(links, 0) {}

  [[nodiscard]] const std::vector<std::uint32_t>& flows_on() const { return flows_on_; }
  void use(std::uint32_t link) {
    if (flows_on_[link]++ == before_[link]) touched_.push_back(link);
  }
  void next_step() {
    for (const std::uint32_t link : touched_) {
      most_[link] = std::max(most_[link], flows_on_[link]);
      flows_on_[link] = before_[link];
    }
    touched_.clear();
  }
  void next_collective() {
    for (std::size_t link = 0; link < most_.size(); ++link) {
      flows_on_[link] = before_[link] = std::max(before_[link], most_[link]);
    }
  }

 private:
  std::vector<std::uint32_t> flows_on_;
  std::vector<std::uint32_t> before_;
  std::vector<std::uint32_t> most_;
  std::vector<std::uint32_t> touched_;
};

class Router {
 public:
  Router(const Network::Plan& plan, const FlowRules& rules, Split split)
      : plan_(plan),
        rules_(rules),
        number_(plan.all_links(), nobody),
        occupation_(rules.routing == Routing::adaptive ? plan.all_links() : 0) {
    traffic_.split = split;
  }

  void add(const Collective& collective, Program program) {
    const auto groups = static_cast<std::uint32_t>(collective.endpoints.size() / collective.ranks);
    const auto ranks = static_cast<std::size_t>(collective.ranks);
    traffic_.first_group.push_back(traffic_.groups);
    std::vector<Block>& blocks = traffic_.blocks.emplace_back();
    for (const StepFlows& step : program.flows) {
      blocks.push_back({traffic_.paths.flows(), step.count() * traffic_.parts()});
      reserve(static_cast<std::size_t>(blocks.back().each) * groups);
      for (std::uint32_t group = 0; group < groups; ++group) {
        const std::int64_t* const endpoints = collective.endpoints.data() + group * ranks;
        for (std::size_t i = 0; i < step.source.size(); ++i) {
          add_flow(static_cast<std::uint32_t>(endpoints[step.source[i]]),
                   static_cast<std::uint32_t>(endpoints[step.destination[i]]), traffic_.groups + group);
        }
        for (const SwitchTree& tree : step.trees) add_tree(tree, endpoints, traffic_.groups + group);
      }
      if (adaptive()) occupation_.next_step();
    }
    if (adaptive()) occupation_.next_collective();
    traffic_.groups += groups;
    traffic_.programs.push_back(std::move(program));
  }

  Traffic take() { return std::move(traffic_); }

 private:
  [[nodiscard]] bool adaptive() const { return rules_.routing == Routing::adaptive; }

  void reserve(std::size_t more) {
    traffic_.paths.offset.reserve(traffic_.paths.offset.size() + more);
    traffic_.latency_s.reserve(traffic_.latency_s.size() + more);
    traffic_.reachable.reserve(traffic_.reachable.size() + more);
    traffic_.group_of.reserve(traffic_.group_of.size() + more);
    // (A guess: two links of the endpoints, and as much again above them.)
    traffic_.paths.links.reserve(traffic_.paths.links.size() + 4 * more);
    traffic_.links.reserve(std::min<std::size_t>(traffic_.links.size() + 2 * more, number_.size()));
  }

  void add_flow(std::uint32_t source, std::uint32_t destination, std::uint32_t group) {
    for (std::uint32_t part = 0; part < traffic_.parts(); ++part) {
      found_.clear();
      double latency_s = 0;
      FlowChoice choice = choice_of(rules_, plan_.planes(), flows_, part);
      if (adaptive()) choice.flows_on = &occupation_.flows_on();
      const bool reached = plan_.route(source, destination, choice, found_, latency_s);
      if (!reached) found_.clear();
      if (adaptive()) {
        for (const std::uint32_t link : found_) occupation_.use(link);
      }
      store(group, latency_s, reached);
    }
    ++flows_;
  }

  void add_tree(const SwitchTree& tree, const std::int64_t* endpoints, std::uint32_t group) {
    const auto endpoint = [&](std::size_t i) { return static_cast<std::uint32_t>(endpoints[tree.members[i]]); };
    for (std::uint32_t part = 0; part < traffic_.parts(); ++part) {
      found_.clear();
      double latency_s = 0;
      bool reached = true;
      if (tree.links == SwitchTree::Links::network) {
        reached = add_cables(tree, endpoint, part, latency_s);
      } else {
        const bool down = tree.links == SwitchTree::Links::domain_down;
        for (std::size_t i = 0; i < tree.members.size(); ++i) {
          found_.push_back(plan_.domain_first() + 2 * endpoint(i) + (down ? 1 : 0));
          reached = reached && plan_.bytes_per_s(found_.back()) > 0;
        }
        // What comes down has gone up before.
        latency_s = (down ? 2 : 1) * plan_.options.domain_latency_s;
      }
      if (!reached) found_.clear();
      store(group, latency_s, reached);
    }
    ++flows_;
  }

  /// The cables of routes from all members to the first: chosen by the same hash, or by the same destination, routes
  /// that meet go on together. The way down from the root are the same cables.
  template <class Endpoint>
  bool add_cables(const SwitchTree& tree, const Endpoint& endpoint, std::uint32_t part, double& latency_s) {
    FlowChoice choice = choice_of(rules_, plan_.planes(), flows_, part);
    if (adaptive()) choice.routing = Routing::ecmp;
    const auto add_once = [&](std::uint32_t link) {
      if (in_tree_[link] == trees_) return;
      in_tree_[link] = trees_;
      found_.push_back(link);
    };
    if (in_tree_.empty()) in_tree_.assign(plan_.all_links(), 0);
    ++trees_;
    std::vector<std::uint32_t> path;
    for (std::size_t i = 1; i < tree.members.size(); ++i) {
      path.clear();
      double path_s = 0;
      if (!plan_.route(endpoint(i), endpoint(0), choice, path, path_s)) return false;
      latency_s = std::max(latency_s, path_s);
      for (const std::uint32_t link : path) {
        const std::uint32_t back = back_of(plan_, link);
        if (plan_.bytes_per_s(back) <= 0) return false;
        add_once(link);
        add_once(back);
      }
    }
    return true;
  }

  void store(std::uint32_t group, double latency_s, bool reached) {
    for (const std::uint32_t link : found_) {
      if (number_[link] == nobody) {
        number_[link] = static_cast<std::uint32_t>(traffic_.links.size());
        traffic_.links.push_back(link);
      }
      traffic_.paths.links.push_back(number_[link]);
    }
    traffic_.paths.offset.push_back(static_cast<std::uint32_t>(traffic_.paths.links.size()));
    traffic_.latency_s.push_back(latency_s);
    traffic_.reachable.push_back(reached ? 1 : 0);
    traffic_.group_of.push_back(group);
  }

  const Network::Plan& plan_;
  const FlowRules& rules_;
  Traffic traffic_;
  std::vector<std::uint32_t> number_;
  std::vector<std::uint32_t> found_;
  std::vector<std::uint32_t> in_tree_;  // the last tree that has a link
  std::uint32_t trees_ = 0;
  Occupation occupation_;
  std::uint64_t flows_ = 0;
};

}  // namespace

Traffic routed(const Network::Plan& plan, std::span<const Collective> collectives,
               const std::vector<std::vector<std::int64_t>>& levels, const FlowRules& rules) {
  std::vector<Program> programs;
  std::vector<double> bytes{0};  // of all flows, for the number of their batches
  for (std::size_t c = 0; c < collectives.size(); ++c) {
    programs.push_back(program_of(collectives[c], levels[c]));
    for (const std::vector<PhasePlan>& chain : programs.back().chains) {
      for (const PhasePlan& phase : chain) {
        const std::vector<double>& share = programs.back().flows[phase.flows].share;
        bytes.push_back(phase.bytes * (share.empty() ? 1 : *std::max_element(share.begin(), share.end())));
      }
    }
  }
  Router router(plan, rules, split_of(plan, {{}, {}, bytes, {}}, rules));
  for (std::size_t c = 0; c < collectives.size(); ++c) router.add(collectives[c], std::move(programs[c]));
  return router.take();
}

}  // namespace ampacity::network
