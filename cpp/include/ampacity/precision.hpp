// Number formats of matrix products.
#pragma once

#include <array>
#include <string_view>

#include "ampacity/field.hpp"

namespace ampacity {

/// Format of the operands of matrix products; master weights, norms and the softmax stay in 16 or 32 bits.
/// `fp8` has one scale per tensor, `fp8_block` and `mxfp8` one per block, `nvfp4` one per 16 elements.
enum class Precision { fp32, tf32, fp16, bf16, fp8, fp8_block, mxfp8, nvfp4 };

template <>
struct EnumNames<Precision> {
  static constexpr std::array<std::string_view, 8> names{"fp32", "tf32",      "fp16",  "bf16",
                                                         "fp8",  "fp8-block", "mxfp8", "nvfp4"};
};

}  // namespace ampacity
