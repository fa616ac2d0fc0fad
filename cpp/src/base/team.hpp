// Threads that share the rows of a table.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

namespace ampacity::base {

/// How many threads are worth it: as many as wanted (0: as the machine has), no more than there are portions of work.
[[nodiscard]] inline std::size_t threads_for(std::size_t wanted, std::size_t portions) {
  if (wanted == 0) wanted = std::max(1U, std::thread::hardware_concurrency());
  return std::clamp<std::size_t>(portions, 1, wanted);
}

/// Shares rows out: each thread takes the next portion when it is done with one, so that none waits for one that the
/// machine holds up. The first exception of any thread leaves.
class Team {
 public:
  /// The calling thread asks `proceed` (which may be empty) after each so many of its rows.
  Team(std::function<bool()> proceed, std::size_t rows_between_questions)
      : proceed_(std::move(proceed)), step_(std::max<std::size_t>(1, rows_between_questions)) {}

  /// Each thread calls `make` once for what then does rows [from, to), portion by portion in rising order. False where
  /// `proceed` stopped it.
  template <class MakeWorker>
  [[nodiscard]] bool run(std::size_t rows, std::size_t threads, const MakeWorker& make) const {
    std::vector<std::exception_ptr> errors(threads);
    std::atomic<bool> stop = false;
    std::atomic<std::size_t> next = 0;
    const std::size_t portion =
        threads == 1 ? step_ : std::clamp<std::size_t>(rows / (threads * portions_of_thread), 1, step_);
    const auto part = [&](std::size_t index) {
      try {
        auto work = make();
        while (!stop) {
          const std::size_t row = next.fetch_add(portion);
          if (row >= rows) break;
          work(row, std::min(rows, row + portion));
          if (index == 0 && proceed_ && !proceed_()) stop = true;
        }
      } catch (...) {
        errors[index] = std::current_exception();
        stop = true;
      }
    };
    {
      const Crew crew(threads - 1, part);
      part(0);
    }
    for (const std::exception_ptr& error : errors) {
      if (error) std::rethrow_exception(error);
    }
    return !stop;
  }

 private:
  /// Threads that are joined wherever the scope is left (not std::jthread: Apple's standard library has none yet).
  class Crew {
   public:
    template <class Part>
    Crew(std::size_t count, const Part& part) {
      threads_.reserve(count);
      for (std::size_t i = 0; i < count; ++i) threads_.emplace_back(part, i + 1);
    }
    Crew(const Crew&) = delete;
    Crew& operator=(const Crew&) = delete;
    ~Crew() {
      for (std::thread& thread : threads_) thread.join();
    }

   private:
    std::vector<std::thread> threads_;
  };

  /// Many enough that the last portion of a thread is short, few enough to cost nothing.
  static constexpr std::size_t portions_of_thread = 32;

  std::function<bool()> proceed_;
  std::size_t step_;
};

/// Makes an array so long and gives all of it one value; each thread is the first to touch its part.
template <class Array, class Value>
void assign(Array& array, std::size_t count, const Value& value, std::size_t threads) {
  array.resize(count);
  constexpr std::size_t portion = 65536;
  const auto worker = [&] {
    return [&](std::size_t from, std::size_t to) { std::fill(array.data() + from, array.data() + to, value); };
  };
  static_cast<void>(Team({}, portion).run(count, threads_for(threads, count / portion), worker));
}

}  // namespace ampacity::base
