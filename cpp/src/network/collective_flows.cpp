// All groups of a job as flows: routes, classes of what is alike, one run of the classes, and the answer for everybody.
#include <algorithm>
#include <bit>
#include <cstddef>
#include <limits>
#include <utility>

#include "ampacity/communication.hpp"
#include "base/random.hpp"
#include "network/collective_steps.hpp"
#include "network/communication_check.hpp"
#include "network/parts.hpp"
#include "network/phase_run.hpp"
#include "network/plan.hpp"
#include "network/symmetry.hpp"

namespace ampacity {
namespace {

using network::Classes;
using network::PhasePlan;
using network::Program;
using network::Quotient;
using network::Run;
using network::RunChain;
using network::RunPhase;
using network::StepFlows;

constexpr double never = std::numeric_limits<double>::infinity();
constexpr std::uint32_t nobody = std::numeric_limits<std::uint32_t>::max();

/// Where the flows of one step of one collective lie: group by group, flow by flow, part by part.
struct Block {
  std::uint32_t first = 0;
  std::uint32_t each = 0;  ///< of one group
};

/// Every part of every flow of every group, with its path over links numbered anew (only those that are used).
struct Traffic {
  std::vector<Program> programs;
  std::vector<std::vector<Block>> blocks;
  std::vector<std::uint32_t> first_group;  ///< of every collective
  network::Paths paths;
  std::vector<std::uint32_t> group_of;
  std::vector<double> latency_s;
  std::vector<std::uint8_t> reachable;
  std::vector<std::uint32_t> links;  ///< as the network numbers them
  std::uint32_t groups = 0;
  std::uint32_t parts = 1;
};

class Router {
 public:
  Router(const Network::Plan& plan, const FlowRules& rules, Traffic& traffic)
      : plan_(plan), rules_(rules), traffic_(traffic), number_(plan.all_links(), nobody) {
    traffic_.parts = rules.routing == Routing::spray ? 1 : static_cast<std::uint32_t>(rules.queue_pairs);
  }

  void add(const Collective& collective, Program program) {
    const auto groups = static_cast<std::uint32_t>(collective.endpoints.size() / collective.ranks);
    const auto ranks = static_cast<std::size_t>(collective.ranks);
    traffic_.first_group.push_back(traffic_.groups);
    std::vector<Block>& blocks = traffic_.blocks.emplace_back();
    for (const StepFlows& step : program.flows) {
      blocks.push_back({traffic_.paths.flows(), static_cast<std::uint32_t>(step.source.size()) * traffic_.parts});
      reserve(static_cast<std::size_t>(blocks.back().each) * groups);
      for (std::uint32_t group = 0; group < groups; ++group) {
        const std::int64_t* const endpoints = collective.endpoints.data() + group * ranks;
        for (std::size_t i = 0; i < step.source.size(); ++i) {
          add_flow(static_cast<std::uint32_t>(endpoints[step.source[i]]),
                   static_cast<std::uint32_t>(endpoints[step.destination[i]]), traffic_.groups + group);
        }
      }
    }
    traffic_.groups += groups;
    traffic_.programs.push_back(std::move(program));
  }

 private:
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
    for (std::uint32_t part = 0; part < traffic_.parts; ++part) {
      found_.clear();
      double latency_s = 0;
      const std::uint64_t hash = base::random_bits(rules_.seed, flows_, part);
      const bool reached = plan_.route(source, destination, rules_.routing, hash, found_, latency_s);
      if (!reached) found_.clear();
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
    ++flows_;
  }

  const Network::Plan& plan_;
  const FlowRules& rules_;
  Traffic& traffic_;
  std::vector<std::uint32_t> number_;
  std::vector<std::uint32_t> found_;
  std::uint64_t flows_ = 0;
};

std::vector<double> rates_of(const Network::Plan& plan, const std::vector<std::uint32_t>& links) {
  const std::uint32_t first = plan.domain_first();
  const std::uint32_t last = plan.visible_links();
  std::vector<double> found(links.size());
  for (std::size_t i = 0; i < links.size(); ++i) {
    const bool whole_domain = plan.share.empty() && links[i] >= first && links[i] < last;
    found[i] = whole_domain ? plan.options.domain_bytes_per_s : plan.bytes_per_s(links[i]);
  }
  return found;
}

std::uint64_t bits(double value) {
  return std::bit_cast<std::uint64_t>(value);
}

/// Flows start apart where they belong to another step or have another latency, links where they have another rate,
/// groups where they belong to another collective.
network::Colours colours_of(const Traffic& traffic, const std::vector<double>& capacity) {
  network::Colours colours;
  colours.flow.resize(traffic.paths.flows());
  colours.group.resize(traffic.groups);
  for (std::size_t c = 0; c < traffic.blocks.size(); ++c) {
    const std::uint32_t after = c + 1 < traffic.blocks.size() ? traffic.first_group[c + 1] : traffic.groups;
    for (std::uint32_t group = traffic.first_group[c]; group < after; ++group) colours.group[group] = c;
    for (std::size_t step = 0; step < traffic.blocks[c].size(); ++step) {
      const Block& block = traffic.blocks[c][step];
      const std::uint64_t seed = base::random_bits(c, step, 1);
      for (std::uint32_t i = 0; i < block.each * (after - traffic.first_group[c]); ++i) {
        const std::uint32_t flow = block.first + i;
        colours.flow[flow] = base::mixed(seed ^ bits(traffic.latency_s[flow])) + traffic.reachable[flow];
      }
    }
  }
  colours.link.reserve(capacity.size());
  for (const double rate : capacity) colours.link.push_back(base::mixed(bits(rate)));
  return colours;
}

/// The classes as a run: of every class of groups the first one, of its flows the first of each class.
class Quotients {
 public:
  Quotients(const Traffic& traffic, const Classes& classes, Quotient quotient, const std::vector<double>& capacity,
            std::span<const Collective> collectives, const FlowRules& rules)
      : traffic_(traffic), classes_(classes), quotient_(std::move(quotient)), collectives_(collectives) {
    run_.groups = classes.groups;
    run_.batch_fraction = rules.batch_fraction;
    for (const std::uint32_t link : quotient_.first_link) run_.capacity.push_back(capacity[link]);
    double shortest = never;
    for (const double latency : traffic.latency_s) {
      if (latency > 0) shortest = std::min(shortest, latency);
    }
    first_chain_.assign(classes.groups, nobody);
    for (std::size_t c = 0; c < traffic.programs.size(); ++c) {
      const std::uint32_t after = c + 1 < traffic.programs.size() ? traffic.first_group[c + 1] : traffic.groups;
      for (std::uint32_t group = traffic.first_group[c]; group < after; ++group) {
        if (first_chain_[classes.group[group]] == nobody) add_group(c, group);
      }
    }
    for (const std::uint32_t flow_class : class_of_) {
      const std::uint32_t flow = quotient_.first_flow[flow_class];
      const double latency = traffic.latency_s[flow];
      run_.latency_s.push_back(latency);
      run_.reachable.push_back(traffic.reachable[flow]);
      run_.weight.push_back(rules.latency_weighted && latency > 0 ? shortest / latency : 1);
    }
    const std::vector<double>& times = run_.paths.times;
    if (std::all_of(times.begin(), times.end(), [](double load) { return load == 1; })) run_.paths.times.clear();
    network::run_phases(run_);
  }

  [[nodiscard]] const Run& run() const { return run_; }
  [[nodiscard]] const Quotient& quotient() const { return quotient_; }
  [[nodiscard]] std::uint32_t class_of(std::uint32_t run_flow) const { return class_of_[run_flow]; }
  /// First of the chains of a group's class.
  [[nodiscard]] std::uint32_t first_chain(std::uint32_t group) const { return first_chain_[classes_.group[group]]; }

 private:
  void add_group(std::size_t c, std::uint32_t group) {
    const Program& program = traffic_.programs[c];
    first_chain_[classes_.group[group]] = static_cast<std::uint32_t>(run_.chains.size());
    // Of every step: the classes of its flows, and their mean latency.
    std::vector<std::vector<std::uint32_t>> members(program.flows.size());
    std::vector<double> latency_s(program.flows.size(), 0);
    for (std::size_t step = 0; step < program.flows.size(); ++step) {
      const Block& block = traffic_.blocks[c][step];
      const std::uint32_t first = block.first + (group - traffic_.first_group[c]) * block.each;
      for (std::uint32_t flow = first; flow < first + block.each; ++flow) {
        latency_s[step] += traffic_.latency_s[flow] / block.each;
        if (quotient_.first_flow[classes_.flow[flow]] == flow) members[step].push_back(classes_.flow[flow]);
      }
    }
    for (const std::vector<PhasePlan>& chain : program.chains) {
      run_.chains.push_back({classes_.group[group], collectives_[c].start_s, {}});
      for (std::size_t p = 0; p < chain.size(); ++p) {
        const PhasePlan& plan = chain[p];
        RunPhase phase;
        phase.first = run_.paths.flows();
        phase.count = static_cast<std::uint32_t>(members[plan.flows].size());
        phase.bytes = plan.bytes / traffic_.parts;
        phase.delay_s = plan.wait_s + plan.repeats * latency_s[plan.flows];
        phase.level = plan.level;
        phase.keeps_level = p + 1 < chain.size() && chain[p + 1].visit == plan.visit;
        run_.levels = std::max(run_.levels, plan.level + 1);
        for (const std::uint32_t flow_class : members[plan.flows]) add_flow(flow_class);
        run_.chains.back().phases.push_back(phase);
      }
    }
  }

  void add_flow(std::uint32_t flow_class) {
    const network::Paths& from = quotient_.paths;
    for (std::uint32_t at = from.offset[flow_class]; at < from.offset[flow_class + 1]; ++at) {
      run_.paths.links.push_back(from.links[at]);
      run_.paths.times.push_back(from.times[at]);
    }
    run_.paths.offset.push_back(static_cast<std::uint32_t>(run_.paths.links.size()));
    class_of_.push_back(flow_class);
  }

  const Traffic& traffic_;
  const Classes& classes_;
  Quotient quotient_;
  std::span<const Collective> collectives_;
  Run run_;
  std::vector<std::uint32_t> class_of_;     // of every flow of the run
  std::vector<std::uint32_t> first_chain_;  // of every class of groups
};

/// What classes have done, told to every group, rank and link.
class Answers {
 public:
  Answers(const Network::Plan& plan, const Traffic& traffic, const Classes& classes, const Quotients& quotients)
      : plan_(plan), traffic_(traffic), classes_(classes), quotients_(quotients) {
    end_s_.assign(classes.flows, 0);
    bytes_.assign(classes.flows, 0);
    const Run& run = quotients.run();
    for (const RunChain& chain : run.chains) {
      for (const RunPhase& phase : chain.phases) {
        for (std::uint32_t flow = phase.first; flow < phase.first + phase.count; ++flow) {
          const std::uint32_t flow_class = quotients.class_of(flow);
          end_s_[flow_class] = std::max(end_s_[flow_class], run.end_s[flow]);
          if (run.end_s[flow] < never) bytes_[flow_class] += phase.bytes;
        }
      }
    }
  }

  [[nodiscard]] std::vector<double> link_bytes() const {
    std::vector<double> per_class(classes_.links, 0);
    const network::Paths& paths = quotients_.quotient().paths;
    for (std::uint32_t flow_class = 0; flow_class < classes_.flows; ++flow_class) {
      for (std::uint32_t at = paths.offset[flow_class]; at < paths.offset[flow_class + 1]; ++at) {
        per_class[paths.links[at]] += bytes_[flow_class] * paths.load(at);
      }
    }
    std::vector<double> found(plan_.all_links(), 0);
    for (std::size_t link = 0; link < traffic_.links.size(); ++link) {
      found[traffic_.links[link]] = per_class[classes_.link[link]];
    }
    network::spread_trunks(plan_, found);
    return found;
  }

  [[nodiscard]] CollectiveTimes times(std::size_t c, const Collective& collective) const {
    const Program& program = traffic_.programs[c];
    const auto groups = static_cast<std::uint32_t>(collective.endpoints.size() / collective.ranks);
    CollectiveTimes found;
    found.end_s.assign(groups, collective.start_s);
    found.rank_end_s.assign(collective.endpoints.size(), collective.start_s);
    for (const std::vector<PhasePlan>& chain : program.chains) {
      for (const PhasePlan& phase : chain) found.phases.push_back(phase.name);
    }
    const std::size_t all = found.phases.size() * groups;
    found.phase_start_s.reserve(all);
    found.phase_end_s.reserve(all);
    found.phase_bottleneck_link.reserve(all);
    for (std::uint32_t group = 0; group < groups; ++group) {
      const std::uint32_t first = quotients_.first_chain(traffic_.first_group[c] + group);
      for (std::size_t i = 0; i < program.chains.size(); ++i) {
        const RunChain& chain = quotients_.run().chains[first + i];
        for (std::size_t p = 0; p < chain.phases.size(); ++p) {
          const RunPhase& phase = chain.phases[p];
          found.phase_start_s.push_back(phase.start_s);
          found.phase_end_s.push_back(phase.end_s);
          found.phase_bottleneck_link.push_back(bottleneck(c, group, program.chains[i][p].flows, phase));
          found.end_s[group] = std::max(found.end_s[group], phase.end_s);
        }
      }
      ranks(c, group, found.rank_end_s.data() + group * static_cast<std::size_t>(collective.ranks));
    }
    return found;
  }

 private:
  [[nodiscard]] std::uint32_t first_flow(std::size_t c, std::uint32_t group, std::size_t step) const {
    const Block& block = traffic_.blocks[c][step];
    return block.first + group * block.each;
  }

  void ranks(std::size_t c, std::uint32_t group, double* end_s) const {
    const Program& program = traffic_.programs[c];
    for (std::size_t step = 0; step < program.flows.size(); ++step) {
      const StepFlows& flows = program.flows[step];
      const std::uint32_t first = first_flow(c, group, step);
      for (std::uint32_t i = 0; i < flows.source.size() * traffic_.parts; ++i) {
        const double end = end_s_[classes_.flow[first + i]];
        double& source = end_s[flows.source[i / traffic_.parts]];
        double& destination = end_s[flows.destination[i / traffic_.parts]];
        source = std::max(source, end);
        destination = std::max(destination, end);
      }
    }
  }

  /// The link that limited the last flow of a phase, as this group has it: of the first such flow, the first such link.
  [[nodiscard]] std::int64_t bottleneck(std::size_t c, std::uint32_t group, std::size_t step,
                                        const RunPhase& phase) const {
    if (!(phase.end_s < never) || phase.bytes == 0) return -1;
    const std::uint32_t wanted = quotients_.class_of(phase.last);
    std::uint32_t flow = first_flow(c, group, step);
    while (classes_.flow[flow] != wanted) ++flow;
    for (const std::uint32_t link : traffic_.paths.of(flow)) {
      if (classes_.link[link] != phase.bottleneck) continue;
      const std::uint32_t known = traffic_.links[link];
      return known < plan_.visible_links() ? known : plan_.cables_of(known).front();
    }
    return -1;
  }

  const Network::Plan& plan_;
  const Traffic& traffic_;
  const Classes& classes_;
  const Quotients& quotients_;
  std::vector<double> end_s_;  // of the last flow of every class
  std::vector<double> bytes_;  // of one flow of every class, all its phases together
};

}  // namespace

Communication communicate(const Network& network, std::span<const Collective> collectives, const FlowRules& rules,
                          bool aggregate) {
  const Network::Plan& plan = network.plan();
  const std::vector<std::vector<std::int64_t>> levels = network::checked_levels(network, collectives, rules);
  Traffic traffic;
  Router router(plan, rules, traffic);
  for (std::size_t c = 0; c < collectives.size(); ++c) {
    router.add(collectives[c], network::program_of(collectives[c], levels[c]));
  }
  const std::vector<double> capacity = rates_of(plan, traffic.links);
  network::Colours colours = colours_of(traffic, capacity);
  const Classes classes = aggregate ? network::classes_of(traffic.paths, traffic.group_of, std::move(colours))
                                    : network::all_apart(traffic.paths, colours);
  const Quotients quotients(traffic, classes, network::quotient_of(traffic.paths, classes), capacity, collectives,
                            rules);
  const Answers answers(plan, traffic, classes, quotients);

  Communication found;
  found.flows = traffic.paths.flows() / traffic.parts;
  found.classes = classes.flows;
  found.events = quotients.run().events;
  found.link_bytes = answers.link_bytes();
  for (std::size_t c = 0; c < collectives.size(); ++c) {
    found.collectives.push_back(answers.times(c, collectives[c]));
    for (const double end : found.collectives.back().end_s) {
      if (end < never) found.end_s = std::max(found.end_s, end);
    }
  }
  return found;
}

}  // namespace ampacity
