// All groups of a job as flows: routes, classes of what is alike, one run of the classes, and the answer for everybody.
#include <algorithm>
#include <bit>
#include <cstddef>
#include <limits>
#include <utility>

#include "ampacity/communication.hpp"
#include "base/random.hpp"
#include "network/collective_routes.hpp"
#include "network/collective_steps.hpp"
#include "network/communication_check.hpp"
#include "network/parts.hpp"
#include "network/phase_run.hpp"
#include "network/plan.hpp"
#include "network/symmetry.hpp"

namespace ampacity {
namespace {

using network::Block;
using network::Classes;
using network::PhasePlan;
using network::Program;
using network::Quotient;
using network::Run;
using network::RunChain;
using network::RunPhase;
using network::StepFlows;
using network::Traffic;

constexpr double never = std::numeric_limits<double>::infinity();
constexpr std::uint32_t nobody = std::numeric_limits<std::uint32_t>::max();

std::vector<double> rates_of(const Network::Plan& plan, const std::vector<std::uint32_t>& links) {
  const std::uint32_t cables = plan.wiring->cables();
  const std::uint32_t first = plan.domain_first();
  const std::uint32_t last = plan.visible_links();
  std::vector<double> found(links.size());
  for (std::size_t i = 0; i < links.size(); ++i) {
    const std::uint32_t link = links[i];
    // (A million links: whole ones without a look at their share and, of one plane, at its number.)
    if (!plan.share.empty() || link >= last) {
      found[i] = plan.bytes_per_s(link);
    } else if (link >= first) {
      found[i] = plan.options.domain_bytes_per_s;
    } else {
      found[i] = plan.wiring->bytes_per_s(link < cables ? link : link % cables) / plan.planes();
    }
  }
  return found;
}

std::uint64_t bits(double value) {
  return std::bit_cast<std::uint64_t>(value);
}

/// Flows start apart where they belong to another step, have another share of it or another latency, links where they
/// have another rate, groups where they belong to another collective.
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
      const StepFlows& flows = traffic.programs[c].flows[step];
      for (std::uint32_t i = 0; i < block.each * (after - traffic.first_group[c]); ++i) {
        const std::uint32_t flow = block.first + i;
        colours.flow[flow] = base::mixed(seed ^ bits(traffic.latency_s[flow])) + traffic.reachable[flow];
        if (flows.share.empty()) continue;
        colours.flow[flow] = base::mixed(colours.flow[flow] ^ bits(flows.share[i % block.each / traffic.parts()]));
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
    run_.batches = static_cast<std::uint32_t>(traffic.split.batches);
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
  struct Member {
    std::uint32_t flow_class;
    double share;  // of the bytes of a phase
  };

  void add_group(std::size_t c, std::uint32_t group) {
    const Program& program = traffic_.programs[c];
    first_chain_[classes_.group[group]] = static_cast<std::uint32_t>(run_.chains.size());
    // Of every step: the classes of its flows with their shares, and the mean latency.
    std::vector<std::vector<Member>> members(program.flows.size());
    std::vector<double> latency_s(program.flows.size(), 0);
    for (std::size_t step = 0; step < program.flows.size(); ++step) {
      const Block& block = traffic_.blocks[c][step];
      const std::uint32_t first = block.first + (group - traffic_.first_group[c]) * block.each;
      for (std::uint32_t flow = first; flow < first + block.each; ++flow) {
        latency_s[step] += traffic_.latency_s[flow] / block.each;
        if (quotient_.first_flow[classes_.flow[flow]] != flow) continue;
        members[step].push_back(
            {classes_.flow[flow], program.flows[step].share_of((flow - first) / traffic_.parts()) / traffic_.parts()});
      }
    }
    for (const std::vector<PhasePlan>& chain : program.chains) {
      run_.chains.push_back({classes_.group[group], collectives_[c].start_s, {}});
      for (std::size_t p = 0; p < chain.size(); ++p) {
        const PhasePlan& plan = chain[p];
        RunPhase phase;
        phase.first = run_.paths.flows();
        phase.count = static_cast<std::uint32_t>(members[plan.flows].size());
        phase.delay_s = plan.wait_s + plan.repeats * latency_s[plan.flows];
        phase.level = plan.level;
        phase.keeps_level = p + 1 < chain.size() && chain[p + 1].visit == plan.visit;
        run_.levels = std::max(run_.levels, plan.level + 1);
        for (const Member& member : members[plan.flows]) add_flow(member.flow_class, plan.bytes * member.share);
        run_.chains.back().phases.push_back(phase);
      }
    }
  }

  void add_flow(std::uint32_t flow_class, double bytes) {
    run_.bytes.push_back(bytes);
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
          if (run.end_s[flow] < never) bytes_[flow_class] += run.bytes[flow];
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
      const auto until = [&](std::uint32_t rank, double end) { end_s[rank] = std::max(end_s[rank], end); };
      for (std::uint32_t i = 0; i < flows.count() * traffic_.parts(); ++i) {
        const double end = end_s_[classes_.flow[first + i]];
        const std::size_t flow = i / traffic_.parts();
        if (flow >= flows.source.size()) {
          for (const std::uint32_t rank : flows.trees[flow - flows.source.size()].members) until(rank, end);
          continue;
        }
        until(flows.source[flow], end);
        until(flows.destination[flow], end);
      }
    }
  }

  /// The link that limited the last flow of a phase, as this group has it: of the first such flow, the first such link.
  [[nodiscard]] std::int64_t bottleneck(std::size_t c, std::uint32_t group, std::size_t step,
                                        const RunPhase& phase) const {
    if (!(phase.end_s < never) || phase.bottleneck == RunPhase::no_link) return -1;
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
  const Traffic traffic = network::routed(plan, collectives, levels, rules);
  const std::vector<double> capacity = rates_of(plan, traffic.links);
  network::Colours colours = colours_of(traffic, capacity);
  // Batches that follow each other are alike only where all of their followers are: not looked for.
  const Classes classes = aggregate && traffic.split.batches == 1
                              ? network::classes_of(traffic.paths, traffic.group_of, std::move(colours))
                              : network::all_apart(traffic.paths, colours);
  const Quotients quotients(traffic, classes, network::quotient_of(traffic.paths, classes), capacity, collectives,
                            rules);
  const Answers answers(plan, traffic, classes, quotients);

  Communication found;
  found.flows = traffic.paths.flows() / traffic.parts();
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
