// One kind of device of a cluster, as a job uses it.
#pragma once

#include "ampacity/accelerator.hpp"
#include "network/collectives.hpp"
#include "step/stage_time.hpp"

namespace ampacity::step {

struct OnKind {
  const Accelerator& device;
  const network::Links& links;
  const PartTimes& parts;
  const network::Links* at_end = nullptr;  ///< with replicas on other kinds, once a step; none: `links`

  [[nodiscard]] const network::Links& links_at_end() const { return at_end != nullptr ? *at_end : links; }
};

/// The kinds that the stages of a pipeline lie on: the first `Layout::front_stages` on one, the others on another, or
/// all on the same.
struct StageDevices {
  OnKind front;
  OnKind rest;

  [[nodiscard]] const OnKind& of(bool in_front) const { return in_front ? front : rest; }
  [[nodiscard]] bool mixed() const { return &front.parts != &rest.parts; }
};

}  // namespace ampacity::step
