// A count that one thread changes and every thread may read.
//
// Thread-safety: only one thread adds; any thread may read at any time.
#pragma once

#include <atomic>
#include <cstdint>

namespace echod {

class SingleWriterCount {
 public:
  void add(std::uint64_t amount = 1) noexcept {
    // There is one writer, so no locked instruction is needed. Release order: a thread that sees
    // this addition also sees the earlier ones to other counts.
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_release);
  }
  [[nodiscard]] std::uint64_t get() const noexcept {
    return value_.load(std::memory_order_acquire);
  }

 private:
  std::atomic<std::uint64_t> value_{0};
};

}  // namespace echod
