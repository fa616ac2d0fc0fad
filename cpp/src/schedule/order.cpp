#include "schedule/order.hpp"

#include <algorithm>
#include <array>

namespace ampacity::schedule {
namespace {

using Kind = PipelineTask;

/// Writes down the steps of one rank.
class Writer {
 public:
  explicit Writer(std::vector<Step>& steps) : steps_(steps) {}

  void put(Kind kind, std::int64_t stage, std::int64_t micro_batch, bool with_next = false) {
    steps_.push_back({static_cast<std::int32_t>(stage), static_cast<std::int32_t>(micro_batch), kind, with_next});
  }

 private:
  std::vector<Step>& steps_;
};

void gpipe(Writer& rank, std::int64_t r, std::int64_t m) {
  for (std::int64_t i = 0; i < m; ++i) rank.put(Kind::forward, r, i);
  for (std::int64_t i = 0; i < m; ++i) rank.put(Kind::backward, r, i);
}

/// The k-th pass of a rank in the interleaved schedule: micro-batches go through the chunks in groups of `pp`.
struct Virtual {
  std::int64_t chunk;
  std::int64_t micro_batch;
};
Virtual virtual_pass(std::int64_t k, std::int64_t pp, std::int64_t vp, bool backward) {
  const std::int64_t within = k % (pp * vp);
  const std::int64_t chunk = within / pp;
  return {backward ? vp - 1 - chunk : chunk, k / (pp * vp) * pp + within % pp};
}

void one_f_one_b(Writer& rank, std::int64_t r, std::int64_t pp, std::int64_t vp, std::int64_t m) {
  const std::int64_t all = m * vp;
  const std::int64_t ahead = std::min(all, vp == 1 ? pp - 1 - r : 2 * (pp - 1 - r) + (vp - 1) * pp);
  const auto pass = [&](std::int64_t k, bool backward) {
    const Virtual v = vp == 1 ? Virtual{0, k} : virtual_pass(k, pp, vp, backward);
    rank.put(backward ? Kind::backward : Kind::forward, v.chunk * pp + r, v.micro_batch);
  };
  for (std::int64_t k = 0; k < ahead; ++k) pass(k, false);
  for (std::int64_t k = 0; k < all; ++k) {
    if (ahead + k < all) pass(ahead + k, false);
    pass(k, true);
  }
}

/// 1F1B in which rank r puts off r weight gradients; they fill the drain.
void zb_h1(Writer& rank, std::int64_t r, std::int64_t pp, std::int64_t m) {
  const std::int64_t ahead = std::min(m, pp - 1 - r);
  for (std::int64_t i = 0; i < ahead; ++i) rank.put(Kind::forward, r, i);
  for (std::int64_t i = 0; i < m; ++i) {
    if (ahead + i < m) rank.put(Kind::forward, r, ahead + i);
    rank.put(Kind::input_gradient, r, i);
    if (i >= r) rank.put(Kind::weight_gradient, r, i - r);
  }
  for (std::int64_t i = std::max<std::int64_t>(0, m - r); i < m; ++i) rank.put(Kind::weight_gradient, r, i);
}

/// Passes of one rank by chunk, each kind in the order of the micro-batches; those past the last one are left out.
class Chunks {
 public:
  Chunks(Writer& rank, std::array<std::int64_t, 2> stages, std::int64_t m) : rank_(rank), stages_(stages), m_(m) {}

  void forward(std::size_t chunk) { put(Kind::forward, chunk, forward_[chunk]++); }
  void input_gradient(std::size_t chunk) { put(Kind::input_gradient, chunk, input_[chunk]++); }
  void weight_gradient(std::size_t chunk) { put(Kind::weight_gradient, chunk, weight_[chunk]++); }
  void both_gradients(std::size_t chunk) {
    input_gradient(chunk);
    weight_gradient(chunk);
  }
  void all(std::size_t chunk) {
    forward(chunk);
    both_gradients(chunk);
  }
  [[nodiscard]] std::int64_t put_off(std::size_t chunk) const { return input_[chunk] - weight_[chunk]; }

 private:
  void put(Kind kind, std::size_t chunk, std::int64_t micro_batch) {
    if (micro_batch < m_) rank_.put(kind, stages_[chunk], micro_batch);
  }

  Writer& rank_;
  std::array<std::int64_t, 2> stages_;
  std::int64_t m_;
  std::array<std::int64_t, 2> forward_{};
  std::array<std::int64_t, 2> input_{};
  std::array<std::int64_t, 2> weight_{};
};

void zb_v(Writer& rank, std::int64_t r, std::int64_t pp, std::int64_t m) {
  constexpr std::size_t down = 0, up = 1;
  Chunks chunks(rank, {r, 2 * pp - 1 - r}, m);
  const std::int64_t passes = std::max(m, 2 * pp - 1);
  const auto repeat = [](std::int64_t times, auto&& work) {
    for (std::int64_t i = 0; i < times; ++i) work();
  };
  repeat(2 * (pp - r) - 1, [&] { chunks.forward(down); });
  repeat(r, [&] {
    chunks.forward(up);
    chunks.forward(down);
  });
  repeat(pp - r, [&] { chunks.all(up); });
  const std::int64_t forwards_left = passes - (2 * pp - 1 - r);
  for (std::int64_t i = 0; i < forwards_left + pp - 1 - r; ++i) {
    if (i < forwards_left) chunks.forward(down);
    chunks.both_gradients(down);
    chunks.all(up);
  }
  repeat(r, [&] {
    chunks.input_gradient(down);
    chunks.input_gradient(up);
  });
  repeat(pp - r, [&] { chunks.both_gradients(down); });
  repeat(chunks.put_off(up), [&] { chunks.weight_gradient(up); });
  repeat(chunks.put_off(down), [&] { chunks.weight_gradient(down); });
}

/// One end of DualPipe: rank `h` of `half` ranks, `n` micro-batches in each of two directions. `near` is the direction
/// whose first stages lie at this end.
class Dual {
 public:
  struct Way {
    std::int64_t stage;
    std::int64_t first_micro_batch;
    std::int64_t forwards = 0;
    std::int64_t backwards = 0;
  };
  Dual(Writer& rank, Way near, Way far) : rank_(rank), near_(near), far_(far) {}

  void write(std::int64_t h, std::int64_t half, std::int64_t n) {
    const std::int64_t outside = half - h - 1;
    repeat(2 * outside, [&] { forward(near_); });
    repeat(h + 1, [&] {
      forward(near_);
      forward(far_);
    });
    repeat(outside, [&] {
      backward(far_, true);
      weight();
      forward(far_);
    });
    for (std::int64_t i = 0; i < n - 2 * half + h + 1; ++i) {
      // The middle ranks do not overlap their first pair, which shortens the bubble.
      forward(near_, !(i == 0 && outside == 0));
      backward(far_, false);
      forward(far_, true);
      backward(near_, false);
    }
    repeat(outside, [&] {
      backward(far_, false);
      forward(far_, true);
      backward(near_, false);
    });
    // Half of the last backward passes leave their weights for the end.
    for (std::int64_t i = 0; i < 2 * (h + 1); ++i) backward(i % 2 == 0 ? far_ : near_, i > h);
    repeat(outside, [&] {
      weight();
      backward(near_, true);
    });
    repeat(h + 1, [&] { weight(); });
  }

 private:
  template <class Work>
  static void repeat(std::int64_t times, Work&& work) {
    for (std::int64_t i = 0; i < times; ++i) work();
  }
  void forward(Way& way, bool with_next = false) {
    rank_.put(Kind::forward, way.stage, way.first_micro_batch + way.forwards++, with_next);
  }
  void backward(Way& way, bool split) {
    const std::int64_t i = way.first_micro_batch + way.backwards++;
    rank_.put(split ? Kind::input_gradient : Kind::backward, way.stage, i);
    if (split) put_off_.push_back({way.stage, i});
  }
  void weight() {
    const Waiting& next = put_off_[done_++];
    rank_.put(Kind::weight_gradient, next.stage, next.micro_batch);
  }

  struct Waiting {
    std::int64_t stage;
    std::int64_t micro_batch;
  };
  Writer& rank_;
  Way near_;
  Way far_;
  std::vector<Waiting> put_off_;
  std::size_t done_ = 0;
};

void dualpipe(Writer& rank, std::int64_t r, std::int64_t pp, std::int64_t m) {
  const Dual::Way down{r, 0};
  const Dual::Way up{pp - 1 - r, m / 2};
  const bool lower = 2 * r < pp;
  Dual(rank, lower ? down : up, lower ? up : down).write(std::min(r, pp - 1 - r), pp / 2, m / 2);
}

void write_rank(Writer& rank, Schedule schedule, std::int64_t r, std::int64_t pp, std::int64_t vp, std::int64_t m) {
  switch (schedule) {
    case Schedule::gpipe:
      return gpipe(rank, r, m);
    case Schedule::one_f_one_b:
      return one_f_one_b(rank, r, pp, vp, m);
    case Schedule::zb_h1:
      return zb_h1(rank, r, pp, m);
    case Schedule::zb_v:
      return zb_v(rank, r, pp, m);
    case Schedule::dualpipe:
      return dualpipe(rank, r, pp, m);
    case Schedule::dualpipe_v:
      return Dual(rank, {r, 0}, {2 * pp - 1 - r, 0}).write(r, pp, m);
  }
}

}  // namespace

Order order_of(Schedule schedule, std::int64_t pp, std::int64_t vp, std::int64_t micro_batches) {
  Order order;
  order.steps.reserve(static_cast<std::size_t>(pp * (vp + 1) * micro_batches * 3));
  order.begin.push_back(0);
  Writer writer(order.steps);
  for (std::int64_t r = 0; r < pp; ++r) {
    write_rank(writer, schedule, r, pp, vp, micro_batches);
    order.begin.push_back(order.steps.size());
  }
  return order;
}

}  // namespace ampacity::schedule
