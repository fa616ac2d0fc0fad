// Where a site's power comes from, hour by hour.
#pragma once

#include "ampacity/cluster.hpp"
#include "ampacity/site_power.hpp"

namespace ampacity::power {

/// Adds one hour: the sun first, then grid and gas in the order that the site prefers, diesel last. What none of them
/// gives is `unserved_j`. Returns the kilograms of CO2e that are emitted.
double add_hour(const Site& site, double load_w, double sun_w_per_m2, SupplyMix& mix);

/// What can be had without sun, and what the peak lacks.
void add_margins(const Site& site, double peak_w, SupplyMix& mix);

}  // namespace ampacity::power
