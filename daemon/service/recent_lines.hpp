// Keeps the last log lines of level warning or above in memory, for the status page. Allocates
// nothing when a line comes.
//
// Thread-safety: any thread. Takes a lock for as long as it takes to copy a line.
#pragma once

#include <spdlog/sinks/sink.h>

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace echod {

class RecentLines final : public spdlog::sinks::sink {
 public:
  static constexpr std::size_t kLines = 16;
  static constexpr std::size_t kLongestText = 400;  // A longer text is cut.

  RecentLines() { set_level(spdlog::level::warn); }

  void log(const spdlog::details::log_msg& message) override;
  void flush() override {}
  void set_pattern(const std::string& /*pattern*/) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter> /*formatter*/) override {}

  // The lines as in the log file, the oldest first. Throws std::bad_alloc.
  [[nodiscard]] std::vector<std::string> lines() const;

 private:
  struct Line {
    spdlog::log_clock::time_point time;
    spdlog::level::level_enum level = spdlog::level::off;
    std::size_t length = 0;
    std::array<char, kLongestText> text{};
  };

  mutable std::mutex mutex_;  // Guards all that follows.
  std::array<Line, kLines> lines_;
  std::size_t count_ = 0;  // Lines so far; the next one goes to this index, modulo kLines.
};

}  // namespace echod
