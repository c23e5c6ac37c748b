// Log lines to a file that can be reopened while it is written to, which is what rotation needs and
// spdlog's own file sink has no public call for. One write(2) a line, nothing kept back: a crash
// loses nothing that was logged.
//
// A file that cannot be opened or written is reported once, through `complaints`, until it can be
// written again; lines are lost meanwhile, and counted.
//
// Thread-safety: any thread.
#pragma once

#include <spdlog/sinks/base_sink.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "append_file.hpp"

namespace echod {

class LogFileSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  // `complaints` is a sink that does not depend on this file.
  explicit LogFileSink(std::shared_ptr<spdlog::sinks::sink> complaints);

  // Opens `path`, or the same path anew; an empty one closes the file for good. Blocks.
  void open(const std::string& path);
  [[nodiscard]] bool is_open();

  [[nodiscard]] std::uint64_t lost_lines() const noexcept { return lost_lines_.load(); }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override;
  void flush_() override {}

 private:
  void complain_once(int error);

  std::shared_ptr<spdlog::sinks::sink> complaints_;
  std::string path_;
  sys::AppendFile file_;
  bool is_failing_ = false;
  std::atomic<std::uint64_t> lost_lines_{0};
};

}  // namespace echod
