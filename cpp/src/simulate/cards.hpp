// Network cards of a job's devices: where they are plugged in, how fast they are, and who needs none to reach whom.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "simulate/network_health.hpp"
#include "simulate/torus.hpp"
#include "simulate/traffic.hpp"

namespace ampacity::simulation {

/// Kinds of devices may have cards of different rates: a group goes at the pace of its slowest. They may have scale-up
/// domains of different sizes.
class Cards {
 public:
  Cards(const TrafficQuestion& question, const TorusStreams& torus);

  /// Line rate of the fastest.
  [[nodiscard]] double bytes_per_s() const { return bytes_per_s_; }
  /// Endpoint of the network that a device is.
  [[nodiscard]] std::int64_t endpoint(std::int64_t device) const {
    return endpoint_.empty() ? device : endpoint_[static_cast<std::size_t>(device)];
  }
  /// Shares of the fastest rate: of the devices of a rank of a crew, and of the slowest of its ranks.
  [[nodiscard]] double of_rank(std::size_t crew, std::size_t rank) const;
  [[nodiscard]] double of_crew(std::size_t crew) const;
  /// Of what the members of a group in one scale-up domain send together, the least of all crews.
  [[nodiscard]] double of_domains(std::size_t rank, const network::Group& group) const;

  /// Whether all scale-up domains are of one size.
  [[nodiscard]] bool one_size() const { return kinds_.size() == 1; }
  [[nodiscard]] bool in_one_domain(std::int64_t device, std::int64_t other) const {
    const std::int64_t a = endpoint(device);
    const std::int64_t b = endpoint(other);
    return one_size() ? a / kinds_.front().domain == b / kinds_.front().domain : in_same_domain(a, b);
  }
  /// Endpoints whose cards are not whole, with what is left of the rate of the fabric's cables.
  [[nodiscard]] std::vector<CardHealth> unwell() const;

 private:
  /// Endpoints of domains of one size.
  struct Kind {
    std::int64_t first = 0;
    std::int64_t domain = 1;
  };
  [[nodiscard]] double line_bytes_per_s(const LinkedDevice& kind) const;
  [[nodiscard]] const Kind& kind_of(std::int64_t endpoint) const;
  [[nodiscard]] bool in_same_domain(std::int64_t endpoint, std::int64_t other) const;

  const TrafficQuestion& q_;
  const TorusStreams& torus_;
  double bytes_per_s_ = 0;
  std::vector<Kind> kinds_;
  std::vector<std::int64_t> endpoint_;  ///< of every device; empty: devices fill the network in order
};

}  // namespace ampacity::simulation
