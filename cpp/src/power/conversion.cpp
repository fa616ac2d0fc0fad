#include "power/conversion.hpp"

#include <algorithm>

namespace ampacity::power {
namespace {

double loss_at(const LoadPoint& point) {
  return point.load_fraction * (1 / point.efficiency_fraction - 1);
}

}  // namespace

double converter_loss(const std::vector<LoadPoint>& points, double load) {
  if (points.empty()) return 0;
  if (points.size() == 1) return load * (1 / points[0].efficiency_fraction - 1);
  std::size_t right = 1;
  while (right + 1 < points.size() && load > points[right].load_fraction) ++right;
  const LoadPoint& a = points[right - 1];
  const LoadPoint& b = points[right];
  const double slope = (loss_at(b) - loss_at(a)) / (b.load_fraction - a.load_fraction);
  // The line through the two lightest points meets no load at the converter's own consumption, which is not negative.
  return std::max(loss_at(a) + slope * (load - a.load_fraction), 0.0);
}

double converter_efficiency(const std::vector<LoadPoint>& points, double load) {
  if (load <= 0 || points.empty()) return 1;
  return load / (load + converter_loss(points, load));
}

double transformer_loss(double no_load, double load_loss, double load) {
  return no_load + load_loss * load * load;
}

double supply_efficiency(const Node& node, double dc_w, double full_dc_w) {
  if (node.supply.points.empty() || full_dc_w <= 0) return node.psu_efficiency_fraction;
  const double capacity_w = node.supply_capacity_w > 0 ? node.supply_capacity_w : 2 * full_dc_w;
  const double at_full = converter_efficiency(node.supply.points, full_dc_w / capacity_w);
  const double at_load = converter_efficiency(node.supply.points, dc_w / capacity_w);
  return std::min(node.psu_efficiency_fraction * at_load / at_full, 1.0);
}

Conversion it_conversion(const Plant& plant, double it_w, double provisioned_w) {
  Conversion conversion;
  if (provisioned_w <= 0) return conversion;
  // Resistance: loss rises with the square of the current.
  conversion.busway_w = plant.busway_loss_fraction * it_w * (it_w / provisioned_w);
  const double rating_w = plant.ups_share_fraction * provisioned_w * plant.installed_ratio;
  const double through_w = plant.ups_share_fraction * (it_w + conversion.busway_w);
  if (rating_w > 0) conversion.ups_w = rating_w * converter_loss(plant.ups, through_w / rating_w);
  return conversion;
}

void add_transformers(const Plant& plant, double load_w, double provisioned_w, Conversion& conversion) {
  const double rating_w = provisioned_w * plant.installed_ratio;
  if (rating_w <= 0) return;
  conversion.transformer_w = rating_w * transformer_loss(plant.transformer_no_load_fraction,
                                                         plant.transformer_load_fraction, load_w / rating_w);
  const double behind_w = load_w + conversion.transformer_w;
  conversion.substation_w = rating_w * transformer_loss(plant.substation_no_load_fraction,
                                                        plant.substation_load_fraction, behind_w / rating_w);
}

}  // namespace ampacity::power
