#include "base/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace ampacity::base {
namespace {

/// Probability that a gamma variable of that shape (and scale 1) exceeds x. Wilson and Hilferty 1931: the cube root of
/// a gamma variable is nearly normal, of mean 1 - 1 / (9 shape) and variance 1 / (9 shape) in units of the mean.
double gamma_tail(double shape, double x) {
  const double variance = 1 / (9 * shape);
  const double z = (std::cbrt(x / shape) - (1 - variance)) / std::sqrt(variance);
  return 0.5 * std::erfc(z / std::sqrt(2.0));
}

// Probability that a Gumbel variable is below its mean: exp(-exp(-Euler's constant)).
constexpr double gumbel_level = 0.5704;

/// Probability that the maximum of n normal draws is below its mean, fitted to the exact means for 2 to 1,000 draws
/// (Harter 1961): 0.509, 0.526 (8), 0.543 (100), 0.552. It tends to that of Gumbel.
double normal_level(double n) {
  const double x = std::log(n);
  return gumbel_level - 1 / (13.95 + 3.29 * x + 0.348 * x * x);
}

/// What a standard normal variable exceeds with that probability (at most a half): the rational approximation 26.2.23
/// of Abramowitz and Stegun, within 4.5e-4.
double upper_quantile(double tail) {
  const double t = std::sqrt(-2 * std::log(tail));
  return t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
}

/// The quantile that the maximum of n draws has at that level (Chen and Tyler 1999).
double maximum_deviation(double n, double level) {
  return upper_quantile(-std::expm1(std::log(level) / n));
}

}  // namespace

double normal_quantile(double probability) {
  const double tail = std::min(probability, 1 - probability);
  double x = upper_quantile(tail);
  // One step of Halley's method on tail(x) = tail, whose second derivative over the first is -x.
  const double excess = 0.5 * std::erfc(x / std::numbers::sqrt2) - tail;
  const double newton = excess * std::sqrt(2 * std::numbers::pi) * std::exp(0.5 * x * x);
  x += newton / (1 - 0.5 * x * newton);
  return probability < 0.5 ? -x : x;
}

double expected_maximum(double n) {
  return n < 2 ? 0 : maximum_deviation(n, normal_level(n));
}

double expected_gamma_maximum(double n, double deviation) {
  if (n < 2 || deviation <= 0) return 1;
  // Between a normal (deviation 0) and an exponential distribution (1), whose maximum is Gumbel distributed.
  const double normal = normal_level(n);
  const double level = normal + (gumbel_level - normal) * std::min(deviation, 1.0);
  const double variance = deviation * deviation / 9;  // Wilson and Hilferty, as above
  const double root = 1 - variance + std::sqrt(variance) * maximum_deviation(n, level);
  return std::max(1.0, root * root * root);
}

double expected_binomial_maximum(double n, double trials, double probability) {
  if (trials <= 1 || probability >= 1) return trials;
  // The x that one of n draws reaches: by Stirling's formula, with the tail as a geometric series. Newton's method,
  // from the normal quantile.
  const double mean = trials * probability;
  const double rest = 1 - probability;
  const double log_n = std::log(std::max(n, 2.0));
  const double least = mean * 1.0001;
  const double most = std::max(trials * 0.999, least);
  double x = std::clamp(mean + std::sqrt(2 * mean * rest * log_n) + log_n / 3, least, std::max(trials * 0.98, least));
  for (int i = 0; i < 3; ++i) {
    const double share = x / trials;
    const double hits = std::log(share / probability);
    const double misses = std::log((1 - share) / rest);
    const double series = std::max(1 - mean * (1 - share) / (x * rest), 1e-3);
    const double value = trials * (share * hits + (1 - share) * misses) +
                         0.5 * std::log(2 * std::numbers::pi * x * (1 - share)) + std::log(series) - log_n;
    const double slope = hits - misses + 0.5 / x + mean / (x * x) / series;
    x = std::clamp(x - value / slope, least, most);
  }
  // From that quantile, on a continuous scale, to the mean of a whole number: fitted to exact sums.
  return std::clamp(x + 0.08 - 0.36 / (1 + mean / 3), mean, trials);
}

double gamma_excess(double limit, double deviation) {
  if (deviation <= 0) return std::max(0.0, 1 - limit);
  const double shape = 1 / (deviation * deviation);
  return std::max(0.0, gamma_tail(shape + 1, shape * limit) - limit * gamma_tail(shape, shape * limit));
}

}  // namespace ampacity::base
