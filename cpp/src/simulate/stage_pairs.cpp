#include "simulate/stage_pairs.hpp"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

namespace ampacity::simulation {
namespace {

void find_pairs(const std::vector<Slot>& slots, std::size_t ranks, std::vector<std::int32_t>& known, Traffic& traffic) {
  CrewMessages& crew = traffic.crews.emplace_back();
  crew.needs.assign(slots.size(), {-1, -1});
  for (std::size_t at = 1; at < slots.size(); ++at) {
    for (std::size_t place = 0; place < 2; ++place) {
      const std::int32_t sender = slots[at].needs[place];
      if (sender == 0) continue;
      const std::int32_t from = slots[static_cast<std::size_t>(sender)].rank;
      if (from == slots[at].rank) continue;
      std::int32_t& pair = known[static_cast<std::size_t>(from) * ranks + static_cast<std::size_t>(slots[at].rank)];
      if (pair < 0) {
        pair = static_cast<std::int32_t>(traffic.pairs.size());
        traffic.pairs.push_back({from, slots[at].rank, -1});
      }
      crew.messages.resize(traffic.pairs.size(), 0);
      ++crew.messages[static_cast<std::size_t>(pair)];
      crew.needs[at][place] = pair;
    }
  }
  crew.pace = crew.needs;
  for (std::size_t at = 1; at < slots.size(); ++at) {
    for (std::size_t place = 0; place < 2; ++place) {
      if (crew.needs[at][place] < 0) continue;
      const auto sender = static_cast<std::size_t>(slots[at].needs[place]);
      const bool waits = crew.needs[sender][0] >= 0 || crew.needs[sender][1] >= 0;
      if (!waits) crew.pace[sender][0] = crew.needs[at][place];
    }
  }
}

/// Pairs of which no rank sends or receives twice send at once; those of one direction first, so that they share a
/// round.
void find_rounds(std::size_t ranks, Traffic& traffic) {
  std::vector<std::size_t> order(traffic.pairs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_partition(order.begin(), order.end(),
                        [&](std::size_t i) { return traffic.pairs[i].to > traffic.pairs[i].from; });
  std::vector<std::vector<bool>> sends;
  std::vector<std::vector<bool>> receives;
  for (const std::size_t i : order) {
    StagePair& pair = traffic.pairs[i];
    const auto from = static_cast<std::size_t>(pair.from);
    const auto to = static_cast<std::size_t>(pair.to);
    std::size_t round = 0;
    while (round < sends.size() && (sends[round][from] || receives[round][to])) ++round;
    if (round == sends.size()) {
      sends.emplace_back(ranks, false);
      receives.emplace_back(ranks, false);
    }
    sends[round][from] = receives[round][to] = true;
    pair.round = static_cast<std::int32_t>(round);
  }
}

}  // namespace

void find_pairs(std::span<const TrafficCrew> crews, std::size_t ranks, Traffic& traffic) {
  std::vector<std::int32_t> known(ranks * ranks, -1);
  for (const TrafficCrew& crew : crews) find_pairs(crew.plan.slots, ranks, known, traffic);
  for (CrewMessages& crew : traffic.crews) crew.messages.resize(traffic.pairs.size(), 0);
  find_rounds(ranks, traffic);
}

}  // namespace ampacity::simulation
