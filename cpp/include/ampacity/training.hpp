// Training jobs: which model, how many tokens, in which number format, with which software.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>

#include "ampacity/field.hpp"
#include "ampacity/model.hpp"
#include "ampacity/precision.hpp"
#include "ampacity/software.hpp"

namespace ampacity {

/// A pre-training job.
struct Training {
  Model model;
  Software software;
  std::int64_t global_batch = 0;
  std::int64_t seq_len = 0;
  double tokens = 0;
  Precision precision = Precision::bf16;
  double expert_imbalance = -1;
  double capacity_factor = 0;
  bool in_network_reduction = false;

  static constexpr std::string_view kind = "training";
  template <class S = Training>
  static constexpr auto fields() {
    return std::tuple{
        required("model", &S::model, "the model"),
        optional("software", &S::software, "the training software (default megatron-core)"),
        optional("global_batch", &S::global_batch, Range{1, 1e8},
                 "sequences per step (default: the model's published batch)"),
        optional("seq_len", &S::seq_len, Range{1, 1e8}, "tokens per sequence (default: the model's published length)"),
        optional("tokens", &S::tokens, Range{1, 1e18},
                 "tokens of the whole run (default: the model's published number; 0 where it has none)"),
        optional("precision", &S::precision, "format of matrix products"),
        optional("expert_imbalance", &S::expert_imbalance, Range{-1, 10},
                 "standard deviation of tokens per expert over their mean; 0 = the router is forced to balance, as "
                 "benchmarks do; -1 = the model's"),
        optional("capacity_factor", &S::capacity_factor, Range{0, 100},
                 "tokens that an expert takes, over their mean: it is padded to that many and further ones are dropped "
                 "(GShard, Switch); 0 = no token is dropped or added"),
        optional("in_network_reduction", &S::in_network_reduction,
                 "all-reduces across nodes go through the network's switches (SHARP), where the fabric's can reduce")};
  }
  friend bool operator==(const Training&, const Training&) = default;
};

}  // namespace ampacity
