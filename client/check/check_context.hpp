// State that the connections of one run of the checks share.
// Thread-safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "client/check/run_checks.hpp"
#include "sys/clock.hpp"

namespace echod::client {

class CheckContext {
 public:
  // `plan` must outlive the context.
  explicit CheckContext(const CheckPlan& plan);

  [[nodiscard]] const CheckPlan& plan() const { return plan_; }
  // Shared by all connections: its content is valid until the next send or receive.
  [[nodiscard]] std::span<std::byte> buffer() { return buffer_; }

  // Numbers count from 1 over all checks, so that bytes of an earlier connection are recognized.
  [[nodiscard]] std::uint32_t next_connection_number() { return ++connections_; }
  // How many streams may have been sent. Includes stream 0, which no connection has.
  [[nodiscard]] std::uint32_t streams() const { return connections_ + 1; }

  [[nodiscard]] bool is_traced() const { return static_cast<bool>(plan_.trace); }
  // Reports "0.001234 EVENT" to plan.trace. No-op if that is empty.
  void trace(const std::string& event) const;

 private:
  const CheckPlan& plan_;
  sys::TimePoint begin_ = sys::MonotonicClock::now();
  std::uint32_t connections_ = 0;
  std::vector<std::byte> buffer_;
};

}  // namespace echod::client
