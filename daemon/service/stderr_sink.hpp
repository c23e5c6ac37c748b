// Log lines to standard error. A pipe that nobody reads, or a terminal that was stopped, must hold
// up neither the log file nor the end of the process: what it does not take in a moment is dropped,
// and counted, and until it takes something again nobody waits for it. Thread-safety: as spdlog's
// sinks, any thread.
#pragma once

#include <spdlog/sinks/base_sink.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string_view>

namespace echod {

class StderrSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  StderrSink();

  [[nodiscard]] std::uint64_t lost_lines() const noexcept { return lost_lines_.load(); }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override;
  void flush_() override {}

 private:
  bool is_blocked_ = false;
  std::atomic<std::uint64_t> lost_lines_{0};
};

inline constexpr std::string_view kProgramPrefix = "echod: ";

// Writes `line` to standard error after `prefix`, with the priority of an error when that is
// systemd's journal. For what must be said when there is no log, and no memory.
void report_on_stderr(std::string_view line, std::string_view prefix = kProgramPrefix) noexcept;

}  // namespace echod
