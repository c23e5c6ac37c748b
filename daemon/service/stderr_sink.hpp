// Log lines to standard error.
// Thread-safety: as spdlog's sinks, any thread.
#pragma once

#include <spdlog/sinks/base_sink.h>

#include <mutex>
#include <string_view>

namespace echod {

class StderrSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  StderrSink();

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override;
  void flush_() override {}
};

// Writes `line` to standard error, with the priority of an error when that is systemd's journal.
// For what must be said when there is no log.
void report_on_stderr(std::string_view line);

}  // namespace echod
