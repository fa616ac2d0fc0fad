// Scenarios that several tests use.
#pragma once

#include <string>

#include "ampacity/ampacity.hpp"

namespace ampacity::testing {

inline Training job_of(const std::string& model, std::int64_t global_batch = 0,
                       const std::string& software = "megatron-core") {
  Value document;
  document.set("model", model);
  document.set("software", software);
  if (global_batch > 0) document.set("global_batch", global_batch);
  return decode<Training>(document);
}

inline Cluster cluster_of(const std::string& name) {
  return Catalogue::builtin().get<Cluster>(name);
}

/// Llama 3.1 405B on 16,384 H100 as in arXiv:2407.21783, Table 4; gradients and optimizer are sharded (section 3.3.2).
inline Layout llama_layout() {
  Layout layout;
  layout.tp = 8;
  layout.pp = 16;
  layout.vp = 8;
  layout.dp = 128;
  layout.zero_stage = 2;
  return layout;
}

}  // namespace ampacity::testing
