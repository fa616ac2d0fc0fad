// Pipeline schedules in closed form, against their papers' formulas and against the recurrences.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

#include "ampacity/ampacity.hpp"
#include "schedule/exact.hpp"
#include "schedule/order.hpp"
#include "schedule/pipeline.hpp"
#include "workload/in_flight.hpp"

using namespace ampacity;
using doctest::Approx;
using schedule::PassSeconds;
using schedule::RankTimes;

namespace {

constexpr std::array all_schedules{Schedule::one_f_one_b, Schedule::gpipe,    Schedule::zb_h1,
                                   Schedule::zb_v,        Schedule::dualpipe, Schedule::dualpipe_v};

std::int64_t chunks_of(Schedule schedule, std::int64_t vp = 1) {
  return is_v(schedule) ? 2 : vp;
}

/// Ranks that all take `chunk` seconds per virtual stage.
schedule::PipelineTime equal_stages(Schedule schedule, std::int64_t pp, std::int64_t vp, double micro_batches,
                                    const PassSeconds& chunk) {
  const RankTimes ranks{static_cast<double>(vp) * chunk, chunk, chunk, 0, pp};
  return schedule::pipeline_time(schedule, vp, micro_batches, {&ranks, 1});
}

double recurrences_s(Schedule schedule, std::int64_t pp, std::int64_t vp, std::int64_t micro_batches,
                     const std::vector<PassSeconds>& stages, double saved_s = 0) {
  Pipeline pipeline;
  pipeline.schedule = schedule;
  pipeline.pp = pp;
  pipeline.vp = vp;
  pipeline.micro_batches = micro_batches;
  pipeline.forward_s.clear();
  pipeline.input_gradient_s.clear();
  pipeline.weight_gradient_s.clear();
  for (const PassSeconds& stage : stages) {
    pipeline.forward_s.push_back(stage.forward_s);
    pipeline.input_gradient_s.push_back(stage.input_gradient_s);
    pipeline.weight_gradient_s.push_back(stage.weight_gradient_s);
  }
  pipeline.saved_s = saved_s;
  return pipeline_timeline(pipeline).makespan_s();
}

/// One run per rank, from the seconds of the stages that it holds.
double closed_form_s(Schedule schedule, std::int64_t pp, std::int64_t vp, std::int64_t micro_batches,
                     const std::vector<PassSeconds>& stages) {
  std::vector<RankTimes> ranks(static_cast<std::size_t>(pp));
  const std::size_t n = stages.size();
  for (std::size_t r = 0; r < ranks.size(); ++r) {
    RankTimes& rank = ranks[r];
    const bool folded = is_v(schedule) || schedule == Schedule::dualpipe;
    rank.first_chunk = stages[r];
    rank.last_chunk = folded ? stages[n - 1 - r] : stages[n - ranks.size() + r];
    if (folded) {
      rank.all += rank.first_chunk;
      rank.all += rank.last_chunk;
      if (schedule == Schedule::dualpipe) rank.all = 0.5 * rank.all;
    } else {
      for (std::size_t stage = r; stage < n; stage += ranks.size()) rank.all += stages[stage];
    }
  }
  const auto time = schedule::pipeline_time(schedule, vp, static_cast<double>(micro_batches), ranks);
  return time.busy_s + time.bubble_s;
}

}  // namespace

TEST_CASE("one stage has no bubble") {
  const schedule::PipelineTime time = equal_stages(Schedule::one_f_one_b, 1, 1, 7, {1, 0.5, 0.5});
  CHECK(time.busy_s == 14);
  CHECK(time.bubble_s == 0);
}

TEST_CASE("bubble of 1F1B is (p - 1) / m, of the interleaved schedule (p - 1) / (v m)") {
  // Narayanan et al. 2021, section 2.2.
  for (const std::int64_t vp : {1, 4}) {
    const auto time = equal_stages(Schedule::one_f_one_b, 8, vp, 32, {1, 0.9, 1.1});
    CHECK(time.bubble_s / time.busy_s == Approx(7.0 / (static_cast<double>(vp) * 32)).epsilon(1e-12));
  }
  const auto gpipe = equal_stages(Schedule::gpipe, 8, 1, 32, {1, 0.9, 1.1});
  CHECK(gpipe.bubble_s / gpipe.busy_s == Approx(7.0 / 32).epsilon(1e-12));
}

TEST_CASE("bubbles of the zero-bubble schedules and of DualPipe are those of their papers") {
  const double f = 1, i = 1.25, w = 0.75;
  for (const double pp : {2.0, 4.0, 8.0, 16.0}) {
    const auto p = static_cast<std::int64_t>(pp);
    // Qi et al. 2024, Table 1, for ZB-H1.
    CHECK(equal_stages(Schedule::zb_h1, p, 1, 2 * pp, {f, i, w}).bubble_s ==
          Approx((pp - 1) * (f + i - w)).epsilon(1e-12));
    // Section 6: with F = I = W no rank of ZB-V waits; (pp - 1) F is the skew from rank to rank, which shows because
    // the norm of the gradient ends every step together.
    CHECK(equal_stages(Schedule::zb_v, p, 2, 2 * pp, {f, f, f}).bubble_s == Approx((pp - 1) * f).epsilon(1e-12));
    // DeepSeek-V3, Table 2: (PP / 2 - 1) (F&B + B - 3W) with B = I + W; there the input gradient takes as long as the
    // forward pass.
    const double paper = (f + (f + w)) + (f + w) - 3 * w;
    CHECK(equal_stages(Schedule::dualpipe, p, 1, 2 * pp, {f, f, w}).bubble_s ==
          Approx((pp / 2 - 1) * paper).epsilon(1e-12));
    CHECK(equal_stages(Schedule::dualpipe_v, p, 2, 2 * pp, {f, f, w}).bubble_s ==
          Approx((pp - 1) * paper).epsilon(1e-12));
    // Where it takes longer, the released order beats the formula.
    CHECK(equal_stages(Schedule::dualpipe, p, 1, 2 * pp, {f, i, w}).bubble_s <=
          (pp / 2 - 1) * ((f + i + w) + (i + w) - 3 * w) + 1e-12);
  }
}

TEST_CASE("with equal stages the closed form is the recurrences' length") {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> seconds(0.2, 2.0);
  for (const Schedule schedule : all_schedules) {
    for (int repeat = 0; repeat < 60; ++repeat) {
      const std::int64_t pp = schedule == Schedule::dualpipe ? 2 * (1 + repeat % 5) : 2 + repeat % 8;
      const std::int64_t vp = chunks_of(schedule, 1 + repeat % 3);
      const bool plain = vp > 1 && schedule != Schedule::one_f_one_b && !is_v(schedule);
      const std::int64_t v = plain ? 1 : vp;
      const std::int64_t m = pp * (2 + repeat % 3);
      // Of every model: weight gradients have the products of the forward pass but no attention; input gradients have
      // both, with more work in attention, and what is recomputed.
      PassSeconds chunk{seconds(random), 0, 0};
      chunk.input_gradient_s = chunk.forward_s * (0.85 + 0.8 * seconds(random));
      chunk.weight_gradient_s = chunk.forward_s * seconds(random) / 2;
      const std::vector<PassSeconds> stages(static_cast<std::size_t>(pp * v), chunk);
      const auto closed = equal_stages(schedule, pp, v, static_cast<double>(m), chunk);
      CAPTURE(name_of(schedule));
      CAPTURE(pp);
      CAPTURE(m);
      CAPTURE(chunk.forward_s);
      CAPTURE(chunk.input_gradient_s);
      CAPTURE(chunk.weight_gradient_s);
      CHECK(closed.busy_s + closed.bubble_s == Approx(recurrences_s(schedule, pp, v, m, stages)).epsilon(1e-12));
    }
  }
}

TEST_CASE("fewer micro-batches than stages: equal stages are exact, unequal ones near") {
  std::mt19937 random(5);
  std::uniform_real_distribution<double> seconds(0.8, 1.2);
  for (const Schedule schedule : {Schedule::gpipe, Schedule::one_f_one_b, Schedule::zb_h1}) {
    // Stages differ by 20 % either way in each direction; where weight gradients fill what is left is not followed, nor
    // are paths of 1F1B that stay on several ranks.
    const double near = schedule == Schedule::zb_h1 ? 0.08 : schedule == Schedule::gpipe ? 1e-12 : 0.01;
    for (std::int64_t pp = 2; pp <= 16; ++pp) {
      for (std::int64_t m = 1; m < pp; ++m) {
        CAPTURE(name_of(schedule));
        CAPTURE(pp);
        CAPTURE(m);
        const PassSeconds chunk{1, 1.1, 0.9};
        const std::vector<PassSeconds> equal(static_cast<std::size_t>(pp), chunk);
        const auto closed = equal_stages(schedule, pp, 1, static_cast<double>(m), chunk);
        const double exact_s = recurrences_s(schedule, pp, 1, m, equal);
        CHECK(closed.busy_s + closed.bubble_s == Approx(exact_s).epsilon(schedule == Schedule::zb_h1 ? 0.02 : 1e-12));
        std::vector<PassSeconds> stages;
        for (std::int64_t s = 0; s < pp; ++s) stages.push_back({seconds(random), seconds(random), seconds(random)});
        CHECK(closed_form_s(schedule, pp, 1, m, stages) ==
              Approx(recurrences_s(schedule, pp, 1, m, stages)).epsilon(near));
      }
    }
  }
}

TEST_CASE("overlapped passes shorten DualPipe by their share") {
  const PassSeconds chunk{1, 1.2, 0.8};
  constexpr double saved = 0.3;
  for (const Schedule schedule : {Schedule::dualpipe, Schedule::dualpipe_v}) {
    for (const std::int64_t pp : {2, 4, 8}) {
      const std::int64_t m = 3 * pp + pp % 2;
      const std::int64_t v = chunks_of(schedule);
      const std::vector<PassSeconds> stages(static_cast<std::size_t>(pp * v), chunk);
      const double shorter =
          recurrences_s(schedule, pp, v, m, stages) - recurrences_s(schedule, pp, v, m, stages, saved);
      const double share = schedule::overlapped_share(schedule, pp, static_cast<double>(m));
      CHECK(shorter == Approx(share * static_cast<double>(m * v) * saved).epsilon(1e-12));
    }
  }
}

TEST_CASE("long pipelines are solved in part, to 1 % of the recurrences of all their tasks") {
  std::mt19937 random(17);
  std::uniform_real_distribution<double> layers(0.85, 1.15);
  for (const Schedule schedule : {Schedule::one_f_one_b, Schedule::zb_h1, Schedule::zb_v, Schedule::dualpipe_v}) {
    for (int repeat = 0; repeat < 60; ++repeat) {
      const std::int64_t pp = 2 + 2 * (repeat % 5);
      const std::int64_t vp = is_v(schedule) || schedule == Schedule::one_f_one_b ? 2 : 1;
      const std::int64_t m = pp * (2 + repeat % 13);
      std::vector<PassSeconds> stages(static_cast<std::size_t>(pp * vp));
      for (PassSeconds& stage : stages) stage = layers(random) * PassSeconds{1, 1.1, 0.9};
      stages.back() += PassSeconds{0.2, 0.2, 0.2};  // the head
      std::vector<RankTimes> ranks(static_cast<std::size_t>(pp));
      for (std::size_t r = 0; r < ranks.size(); ++r) {
        const std::size_t last = is_v(schedule) ? stages.size() - 1 - r : stages.size() - ranks.size() + r;
        ranks[r] = {stages[r], stages[r], stages[last]};
        if (vp > 1) ranks[r].all += stages[last];
      }
      const double exact_s = recurrences_s(schedule, pp, vp, m, stages);
      const double found_s = schedule::exact_length(schedule, vp, m, ranks, {});
      CHECK(found_s == Approx(exact_s).epsilon(schedule::solved_micro_batches(schedule, pp, m) == m ? 1e-12 : 0.01));
    }
  }
}

TEST_CASE("passes that run into one another are counted in the order") {
  for (const Schedule schedule : {Schedule::dualpipe, Schedule::dualpipe_v}) {
    for (const std::int64_t pp : {2, 4, 8, 16}) {
      const std::int64_t m = 3 * pp;
      const schedule::Order order = schedule::order_of(schedule, pp, chunks_of(schedule), m);
      const auto pairs = std::count_if(order.steps.begin(), order.steps.end(),
                                       [](const schedule::Step& step) { return step.with_next; });
      const auto passes = static_cast<double>(pp * m * chunks_of(schedule));
      CHECK(schedule::mean_overlapped_share(schedule, pp, static_cast<double>(m)) ==
            Approx(static_cast<double>(pairs) / passes).epsilon(1e-12));
    }
  }
}

TEST_CASE("where every stage is another GPipe and 1F1B are exact") {
  std::mt19937 random(11);
  std::uniform_real_distribution<double> seconds(0.8, 1.2);  // a stage of five layers more or less one
  for (const Schedule schedule : {Schedule::gpipe, Schedule::one_f_one_b}) {
    for (int repeat = 0; repeat < 100; ++repeat) {
      const std::int64_t pp = 2 + repeat % 9;
      const std::int64_t m = 1 + repeat % 40;
      std::vector<PassSeconds> stages;
      for (std::int64_t s = 0; s < pp; ++s) stages.push_back({seconds(random), seconds(random), seconds(random)});
      if (schedule == Schedule::one_f_one_b && m < pp) continue;
      CHECK(closed_form_s(schedule, pp, 1, m, stages) ==
            Approx(recurrences_s(schedule, pp, 1, m, stages)).epsilon(1e-12));
    }
  }
}

TEST_CASE("with ends of any length GPipe and 1F1B are exact, late messages included") {
  std::mt19937 random(11);
  std::uniform_real_distribution<double> share(0.0, 1.0);
  std::uniform_int_distribution<int> layers(1, 12);  // of the ends, and of those between
  for (const Schedule schedule : {Schedule::gpipe, Schedule::one_f_one_b}) {
    for (int repeat = 0; repeat < 400; ++repeat) {
      const std::int64_t pp = 2 + repeat % 15;
      const std::int64_t m = 1 + repeat % 47;
      const PassSeconds layer{1, 0.8 + share(random), 0.7 + 0.3 * share(random)};
      std::vector<RankTimes> ranks;
      const auto with = [](PassSeconds one, const PassSeconds& other) { return one += other; };
      const auto add = [&](std::int64_t count, const PassSeconds& one) {
        if (count > 0) ranks.push_back({one, one, one, 0, count});
      };
      PassSeconds first = static_cast<double>(layers(random)) * layer;
      PassSeconds last = static_cast<double>(layers(random)) * layer;
      first += share(random) * PassSeconds{0.1, 0, 0.1};
      last += 2 * share(random) * PassSeconds{1, 1, 1};
      const PassSeconds between = static_cast<double>(layers(random)) * layer;
      const std::int64_t fuller = repeat % (pp - 1);
      add(1, first);
      add(fuller, with(between, layer));
      add(pp - 2 - fuller, between);
      if (fuller < pp - 1) add(1, last);
      const double late_s = repeat % 3 == 0 ? 0 : 0.3 * share(random);
      const auto found = schedule::pipeline_time(schedule, 1, static_cast<double>(m), ranks, late_s);
      std::int64_t count = 0;
      for (const RankTimes& run : ranks) count += run.ranks;
      CAPTURE(name_of(schedule));
      CAPTURE(count);
      CAPTURE(m);
      // Long pipelines are not solved task by task to the end.
      const std::int64_t solved = std::min(m, schedule::solved_micro_batches(schedule, count, m));
      if (solved < m) continue;
      const double exact_s = schedule::exact_length(schedule, 1, m, ranks, {0, late_s});
      // Of late messages only those before the slowest rank and before the last one of a path are looked at.
      CHECK(found.busy_s + found.bubble_s == Approx(exact_s).epsilon(late_s > 0 ? 2e-3 : 1e-12));
    }
  }
}

TEST_CASE("with an embedding, a head and uneven layers the closed form is near the recurrences") {
  // Layers of one second each way and less for weights, with and without full recomputation; an embedding of a tenth of
  // a layer and a head of up to two: what models have. What is left is the order of chunks inside the schedule. Folded
  // pipelines have first and last stage on one rank, and their bubble is that of a mean stage: worst where the head
  // makes the last of the short virtual stages half again as long as the others.
  for (const Schedule schedule : all_schedules) {
    const bool folded = is_v(schedule) || schedule == Schedule::dualpipe;
    double worst = 0;
    double sum = 0;
    int cases = 0;
    for (const std::int64_t pp : {4, 8, 16}) {
      for (const std::int64_t m : {2 * pp, 4 * pp}) {
        for (const double head : {0.3, 0.8, 2.0}) {
          for (const double input : {1.1, 2.1}) {
            for (const int spared : {0, 1}) {
              for (const std::int64_t per_rank : {4, 8}) {
                const std::int64_t vp = schedule == Schedule::one_f_one_b ? per_rank / 2 : chunks_of(schedule);
                std::vector<PassSeconds> stages(static_cast<std::size_t>(pp * vp));
                const PassSeconds layer{1, input, 0.9};
                for (PassSeconds& stage : stages) stage = static_cast<double>(per_rank / vp) * layer;
                stages.front() += -1.0 * spared * layer;
                stages.front() += PassSeconds{0.05, 0, 0.05};
                stages.back() += -1.0 * spared * layer;
                stages.back() += PassSeconds{head, head, head};
                const double exact = recurrences_s(schedule, pp, vp, m, stages);
                const double error = closed_form_s(schedule, pp, vp, m, stages) / exact - 1;
                CAPTURE(name_of(schedule));
                CAPTURE(pp);
                CAPTURE(m);
                CAPTURE(head);
                CAPTURE(input);
                CAPTURE(spared);
                CAPTURE(per_rank);
                CHECK(std::abs(error) < (folded ? 0.12 : 0.02));
                worst = std::max(worst, std::abs(error));
                sum += std::abs(error);
                ++cases;
              }
            }
          }
        }
      }
    }
    MESSAGE(name_of(schedule), ": mean ", sum / cases, ", worst ", worst);
    CHECK(sum / cases < (folded ? 0.015 : 0.003));
  }
}

TEST_CASE("micro-batches in flight are those of the schedule's order") {
  // A chunk's activations are held from its forward pass to its weight gradient; ZB-H1's paper counts so too.
  for (const Schedule schedule : all_schedules) {
    for (const std::int64_t pp : {2, 4, 8}) {
      Layout layout;
      layout.pp = pp;
      layout.vp = chunks_of(schedule, 2);
      if (!is_v(schedule) && schedule != Schedule::one_f_one_b) layout.vp = 1;
      layout.schedule = schedule;
      const std::int64_t m = 4 * pp;
      const schedule::Order order = schedule::order_of(schedule, pp, layout.vp, m);
      std::int64_t most = 0;
      for (std::size_t step = 0, held = 0; step < order.begin[1]; ++step) {
        const PipelineTask kind = order.steps[step].kind;
        if (kind == PipelineTask::forward) {
          most = std::max(most, static_cast<std::int64_t>(++held));
        } else if (kind != PipelineTask::input_gradient) {
          --held;
        }
      }
      const double chunks_held = static_cast<double>(schedule == Schedule::dualpipe ? 2 : layout.vp);
      const double expected = workload::in_flight(layout, static_cast<double>(m), static_cast<double>(pp - 1));
      CAPTURE(name_of(schedule));
      CAPTURE(pp);
      CHECK(static_cast<double>(most) == Approx(expected * chunks_held));
    }
  }
}

TEST_CASE("a pipeline that a schedule cannot have is named") {
  const auto text = [](Schedule schedule, std::int64_t pp, std::int64_t vp, std::int64_t m) {
    Pipeline pipeline;
    pipeline.schedule = schedule;
    pipeline.pp = pp;
    pipeline.vp = vp;
    pipeline.micro_batches = m;
    try {
      static_cast<void>(pipeline_timeline(pipeline));
    } catch (const InvalidSpec& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(text(Schedule::dualpipe, 3, 1, 12).find("even") != std::string::npos);
  CHECK(text(Schedule::dualpipe, 4, 1, 6).find("2 x pp") != std::string::npos);
  CHECK(text(Schedule::dualpipe, 4, 1, 9).find("even") != std::string::npos);
  CHECK(text(Schedule::zb_v, 4, 1, 12).find("must be 2") != std::string::npos);
  CHECK(text(Schedule::gpipe, 4, 2, 12).find("must be 1") != std::string::npos);
  CHECK(text(Schedule::one_f_one_b, 4, 2, 6).find("multiple of pp") != std::string::npos);
  CHECK(text(Schedule::zb_h1, 4, 1, 3).empty());
}
