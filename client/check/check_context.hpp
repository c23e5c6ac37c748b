// What the connections of one run of the battery share.
// Thread-safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "clock.hpp"
#include "run_checks.hpp"

namespace echod::client {

class CheckContext {
 public:
  // Borrows the plan.
  explicit CheckContext(const CheckPlan& plan);

  [[nodiscard]] const CheckPlan& plan() const { return plan_; }
  // Room for one send or receive; what is in it stays until the next.
  [[nodiscard]] std::span<std::byte> buffer() { return buffer_; }

  // Connections are numbered from 1, over all checks, so that bytes of an earlier one are known.
  [[nodiscard]] std::uint32_t next_connection_number() { return ++connections_; }
  // How many streams there are, 0 among them.
  [[nodiscard]] std::uint32_t streams() const { return connections_ + 1; }

  [[nodiscard]] bool is_traced() const { return static_cast<bool>(plan_.trace); }
  // "0.001234 EVENT", if anybody listens.
  void trace(const std::string& event) const;

 private:
  const CheckPlan& plan_;
  sys::TimePoint begin_ = sys::MonotonicClock::now();
  std::uint32_t connections_ = 0;
  std::vector<std::byte> buffer_;
};

}  // namespace echod::client
