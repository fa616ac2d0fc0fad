// Losses of converters against their load.
#pragma once

#include <vector>

#include "ampacity/node.hpp"
#include "ampacity/plant.hpp"

namespace ampacity::power {

/// Loss of a converter that delivers `load` of its rating, over its rating. Straight lines between the points of its
/// curve, and beyond them; below the first the loss falls to the part that does not depend on load.
[[nodiscard]] double converter_loss(const std::vector<LoadPoint>& points, double load);

/// Output over input at that load; 1 without points.
[[nodiscard]] double converter_efficiency(const std::vector<LoadPoint>& points, double load);

/// Loss of a transformer over its rating: no-load loss + load loss x load^2.
[[nodiscard]] double transformer_loss(double no_load, double load_loss, double load);

/// Efficiency of a node's supplies that deliver `dc_w`: that at full load is given, its course follows the class.
[[nodiscard]] double supply_efficiency(const Node& node, double dc_w, double full_dc_w);

/// Losses between the racks and the grid. Watts.
struct Conversion {
  double busway_w = 0;
  double ups_w = 0;
  double transformer_w = 0;  ///< medium voltage to low voltage
  double substation_w = 0;   ///< high voltage to medium voltage
};

/// Losses for an IT power; cooling and other loads come from the transformers without UPS.
[[nodiscard]] Conversion it_conversion(const Plant& plant, double it_w, double provisioned_w);
/// Adds the transformers, which carry everything.
void add_transformers(const Plant& plant, double load_w, double provisioned_w, Conversion& conversion);

}  // namespace ampacity::power
