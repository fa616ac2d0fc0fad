#include "workload/stage_parameters.hpp"

#include "workload/parameters.hpp"

namespace ampacity::workload {

namespace {

StageParameters layers_of(const Model& model, const ParameterCount& count, const Layout& layout,
                          const LayerMix& layers) {
  const auto tp = static_cast<double>(layout.tp);
  const double shared_experts = static_cast<double>(model.shared_experts) * count.expert_ffn;
  const double dense = layers.dense * ((count.attention + count.dense_ffn) / tp + count.norms);
  const double moe = layers.moe * ((count.attention + shared_experts) / tp + count.norms + count.router);
  const double local_experts = static_cast<double>(model.experts) / static_cast<double>(layout.ep * layout.etp);
  return {dense + moe, layers.moe * local_experts * count.expert_ffn};
}

}  // namespace

StageParameters layer_parameters(const Model& model, const Layout& layout, const LayerMix& layers) {
  return layers_of(model, count_parameters(model), layout, layers);
}

double distinct_weights(const Model& model, const Layout& layout, const LayerMix& layers) {
  const ParameterCount count = count_parameters(model);
  const auto tp = static_cast<double>(layout.tp);
  double weights = count.attention / tp;
  if (layers.dense > 0) weights += count.dense_ffn / tp;
  if (layers.moe > 0)
    weights += static_cast<double>(model.shared_experts) * count.expert_ffn / tp +
               count.expert_ffn / static_cast<double>(layout.etp);
  return weights;
}

StageParameters stage_parameters(const Model& model, const Layout& layout, const LayerMix& layers, StagePlace place) {
  const ParameterCount count = count_parameters(model);
  const auto tp = static_cast<double>(layout.tp);
  StageParameters parameters = layers_of(model, count, layout, layers);
  if (place.first) parameters.shared += count.embedding / tp;
  // Tied embeddings on different stages are kept twice.
  if (place.last && (count.head > 0 || !place.first)) {
    parameters.shared += static_cast<double>(model.vocab * model.hidden) / tp;
  }
  return parameters;
}

}  // namespace ampacity::workload
