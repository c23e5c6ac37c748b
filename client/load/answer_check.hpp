// Compares the bytes that come back on one connection with those that it sent. After a wrong byte,
// keeps what follows as evidence and names the fault (origin.hpp).
//
// Thread-safety: none. Never blocks. Running out of memory ends the process (client/main.cpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "client/load/load_plan.hpp"
#include "client/load/message_counts.hpp"
#include "client/stream/origin.hpp"

namespace echod::client {

class AnswerCheck {
 public:
  // Both must outlive it. `counts` tells what was sent and how much of it has come back.
  AnswerCheck(const LoadPlan& plan, const MessageCounts& counts) noexcept
      : plan_(plan), counts_(counts) {}

  // Returns how many leading bytes of `bytes` are the next to come back.
  [[nodiscard]] std::size_t count_right(std::span<const std::byte> bytes) const noexcept;
  // Keeps `bytes`, at most kEvidenceBytes in all. The first call begins with the wrong byte.
  void keep_evidence(std::span<const std::byte> bytes) noexcept;
  // Whether enough evidence is kept to name the fault. If not, wait for at most kEvidenceTime.
  [[nodiscard]] bool has_enough() const noexcept;
  // Names the fault that the evidence shows, and forgets the evidence. Must have some.
  [[nodiscard]] Fault take_fault() noexcept;

 private:
  const LoadPlan& plan_;
  const MessageCounts& counts_;
  std::unique_ptr<std::vector<std::byte>> evidence_;  // Null until a wrong byte came.
};

}  // namespace echod::client
