#include "network/detours.hpp"

#include <algorithm>
#include <limits>

namespace ampacity::network {
namespace {

constexpr int rounds = 30;        // of demands that leave links to each other
constexpr int halvings = 14;      // of the interval that the use of links lies in
constexpr double slack = 1.0005;  // of a use that counts as reached

class Solver {
 public:
  explicit Solver(const JoinedNodes& net) : net_(net), n_(net.nodes), out_(n_, 0), in_(n_, 0), load_(n_ * n_, 0) {
    each([&](std::size_t i, std::size_t j, std::size_t at) {
      out_[i] += net_.capacity[at];
      in_[j] += net_.capacity[at];
    });
  }

  Detours solve() {
    double least = at_least();
    if (!fits(least)) {
      double most = 2 * least;
      while (!fits(most) && most < 1e6) most *= 2;
      least = most / 2;
      for (int i = 0; i < halvings; ++i) {
        const double middle = (least + most) / 2;
        (fits(middle) ? most : least) = middle;
      }
      (void)fits(most);
    }
    Detours found{std::vector<double>(n_ * n_, 1), std::vector<double>(n_ * n_, 0)};
    each([&](std::size_t, std::size_t, std::size_t at) {
      if (net_.demand[at] > 0) found.direct[at] = direct_[at] / net_.demand[at];
      if (load_[at] <= 0) return;
      const double capacity = net_.capacity[at];
      found.use[at] = capacity > 0 ? load_[at] / capacity : std::numeric_limits<double>::infinity();
    });
    return found;
  }

 private:
  template <class Visit>
  void each(const Visit& visit) const {
    for (std::size_t i = 0; i < n_; ++i) {
      for (std::size_t j = 0; j < n_; ++j) {
        if (i != j) visit(i, j, i * n_ + j);
      }
    }
  }

  /// A use of links below which nothing fits: of a link by what is on it in any case, of a node's by all that it sends
  /// or gets; 1 where links are not full.
  [[nodiscard]] double at_least() const {
    std::vector<double> sent(n_, 0);
    std::vector<double> got(n_, 0);
    double least = 1;
    each([&](std::size_t i, std::size_t j, std::size_t at) {
      const double crosses = net_.demand[at] + net_.beside[at];
      sent[i] += crosses;
      got[j] += crosses;
      if (net_.capacity[at] > 0) least = std::max(least, net_.beside[at] / net_.capacity[at]);
    });
    for (std::size_t i = 0; i < n_; ++i) {
      if (out_[i] > 0) least = std::max(least, sent[i] / out_[i]);
      if (in_[i] > 0) least = std::max(least, got[i] / in_[i]);
    }
    return least;
  }

  /// Part of what goes over third nodes that takes a link of that capacity, among all links of that sum but one.
  static double part(double rest, double sum, double without) {
    const double others = sum - without;
    return others > 1e-9 * sum ? rest / others : 0;
  }

  /// Whether no link is used more than that. A link's direct share is what others leave of it.
  bool fits(double use) {
    direct_.assign(n_ * n_, 0);
    each([&](std::size_t, std::size_t, std::size_t at) {
      direct_[at] = std::clamp(use * net_.capacity[at] - net_.beside[at], 0.0, net_.demand[at]);
    });
    bool fit = false;
    for (int round = 0; round < rounds; ++round) {
      fit = load(use);
      if (fit) break;
      each([&](std::size_t, std::size_t, std::size_t at) {
        const double left = use * net_.capacity[at] - (load_[at] - direct_[at]);
        direct_[at] = (direct_[at] + std::clamp(left, 0.0, net_.demand[at])) / 2;
      });
    }
    return fit;
  }

  /// What links carry with these direct shares.
  bool load(double use) {
    std::vector<double> leaves(n_, 0);
    std::vector<double> enters(n_, 0);
    const auto rest = [&](std::size_t at) { return net_.demand[at] - direct_[at]; };
    bool possible = true;
    each([&](std::size_t i, std::size_t j, std::size_t at) {
      if (rest(at) <= 0) return;
      const double first = part(rest(at), out_[i], net_.capacity[at]);
      const double second = part(rest(at), in_[j], net_.capacity[at]);
      possible = possible && first > 0 && second > 0;
      leaves[i] += first;
      enters[j] += second;
    });
    bool fit = possible;
    each([&](std::size_t i, std::size_t j, std::size_t at) {
      const double capacity = net_.capacity[at];
      const double first = leaves[i] - part(rest(at), out_[i], capacity);
      const double second = enters[j] - part(rest(at), in_[j], capacity);
      load_[at] = direct_[at] + net_.beside[at] + capacity * (first + second);
      if (!possible) load_[at] += rest(at);  // there is no other way
      fit = fit && load_[at] <= slack * use * capacity;
    });
    return fit;
  }

  const JoinedNodes& net_;
  std::size_t n_;
  std::vector<double> out_;  // sums of capacities
  std::vector<double> in_;
  std::vector<double> load_;
  std::vector<double> direct_;
};

}  // namespace

Detours detours_of(const JoinedNodes& net) {
  return Solver(net).solve();
}

}  // namespace ampacity::network
