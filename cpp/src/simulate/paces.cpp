// How long groups take: of several rounds the slowest, of all groups the most.
#include <algorithm>
#include <cstddef>
#include <utility>

#include "simulate/traffic.hpp"

namespace ampacity::simulation {

void Paces::keep_slowest(network::GroupPaces paces) {
  if (slowdown.empty()) {
    slowdown = std::move(paces.slowdown);
    link = std::move(paces.link);
    return;
  }
  for (std::size_t g = 0; g < paces.slowdown.size(); ++g) {
    if (paces.slowdown[g] <= slowdown[g]) continue;
    slowdown[g] = paces.slowdown[g];
    link[g] = paces.link[g];
  }
}

void Paces::find_most() {
  if (!slowdown.empty()) largest = *std::max_element(slowdown.begin(), slowdown.end());
  if (!sites.empty()) most_sites = *std::max_element(sites.begin(), sites.end());
}

}  // namespace ampacity::simulation
