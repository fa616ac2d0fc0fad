// Written by tools/fit_intervals.py --write from the training scoreboard. Do not edit.
// clang-format off
#pragma once

#include <array>
#include <string_view>

namespace ampacity::interval {

// Half-widths in ln(step time): Student's t with 5.45 degrees of freedom, scales 0.0505 (dense) and 0.0586
// (experts), from 525 rows of 10 sources, each source weighted equally.
inline constexpr double dense_half_width_50 = 0.0365;
inline constexpr double dense_half_width_90 = 0.0999;
inline constexpr double moe_half_width_50 = 0.0423;
inline constexpr double moe_half_width_90 = 0.1159;
inline constexpr double largest_job = 10752;  // accelerators
// What the rows ran: device family with format, and software.
inline constexpr std::array<std::string_view, 9> formats{
    "ampere/bf16", "ampere/fp16", "blackwell/bf16", "blackwell/fp8", "blackwell/mxfp8", "blackwell/nvfp4",
    "hopper/bf16", "hopper/fp8", "hopper/fp8-block"};
inline constexpr std::array<std::string_view, 13> software{
    "jax", "llm-foundry", "llm-foundry-2023", "megatron-2021", "megatron-2022", "megatron-bridge-26.06",
    "megatron-core", "megatron-deepspeed", "nemo", "nemo-25.04", "paxml", "torchtitan", "torchtitan-2024"};

}  // namespace ampacity::interval
