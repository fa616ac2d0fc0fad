// Arrays of a million rows and more.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

namespace ampacity::base {

inline constexpr std::size_t large_page_bytes = std::size_t{1} << 21U;

/// Tells the operating system that memory is worth large pages, where it can be told: touching memory for the first
/// time and visiting it at random then cost a third less.
void want_large_pages(void* memory, std::size_t bytes);

/// Leaves numbers as they are where a vector is made longer without a value, so that the threads which fill an array
/// are the first to touch it.
template <class T>
struct LargeAllocator {
  using value_type = T;

  LargeAllocator() = default;
  template <class U>
  LargeAllocator(const LargeAllocator<U>& /*other*/) {}  // NOLINT(google-explicit-constructor): a converting one

  [[nodiscard]] T* allocate(std::size_t count) {
    if (!is_large(count)) return std::allocator<T>().allocate(count);
    void* const memory = ::operator new(count * sizeof(T), std::align_val_t{large_page_bytes});
    want_large_pages(memory, count * sizeof(T));
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, std::size_t count) {
    if (!is_large(count)) return std::allocator<T>().deallocate(memory, count);
    ::operator delete(memory, std::align_val_t{large_page_bytes});
  }
  template <class U>
  void construct(U* place) {
    static_assert(std::is_trivially_destructible_v<U>);
    ::new (static_cast<void*>(place)) U;
  }
  template <class U, class... Arguments>
  void construct(U* place, Arguments&&... arguments) {
    ::new (static_cast<void*>(place)) U(std::forward<Arguments>(arguments)...);
  }
  friend bool operator==(const LargeAllocator& /*a*/, const LargeAllocator& /*b*/) { return true; }

 private:
  [[nodiscard]] static bool is_large(std::size_t count) { return count >= 2 * large_page_bytes / sizeof(T); }
};

template <class T>
using Large = std::vector<T, LargeAllocator<T>>;

}  // namespace ampacity::base
