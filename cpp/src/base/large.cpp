#include "base/large.hpp"

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace ampacity::base {

void want_large_pages(void* memory, std::size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  // Only advice: where it cannot be had, nothing is lost.
  static_cast<void>(::madvise(memory, bytes / large_page_bytes * large_page_bytes, MADV_HUGEPAGE));
#else
  static_cast<void>(memory);
  static_cast<void>(bytes);
#endif
}

}  // namespace ampacity::base
