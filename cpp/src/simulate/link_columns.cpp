// What every link of the network carried: trunks spread over their cables when somebody asks.
#include "simulate/traffic.hpp"

namespace ampacity::simulation {

LinkColumns link_columns(const Traffic& traffic, double step_time_s) {
  LinkColumns columns;
  if (!traffic.network) return columns;
  const Network::Plan& plan = traffic.network->plan();
  columns.bytes = network::spread_over_cables(plan, traffic.link_bytes);
  for (std::uint32_t link = 0; link < plan.visible_links(); ++link) {
    const network::LinkEnds ends = plan.ends(link);
    const double rate = plan.bytes_per_s(link);
    columns.tier.push_back(static_cast<std::int64_t>(plan.tier(link)));
    columns.from.push_back(ends.from);
    columns.to.push_back(ends.to);
    columns.bytes_per_s.push_back(rate);
    columns.utilisation_fraction.push_back(rate > 0 ? columns.bytes[link] / rate / step_time_s : 0);
  }
  return columns;
}

}  // namespace ampacity::simulation
