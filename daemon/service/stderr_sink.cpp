#include "stderr_sink.hpp"

#include <unistd.h>

#include <cstdlib>
#include <string>

#include "append_file.hpp"
#include "line_format.hpp"
#include "syscalls.hpp"

namespace echod {

namespace {

bool is_stderr_the_journal() {
  const char* const stream = std::getenv("JOURNAL_STREAM");  // NOLINT(concurrency-mt-unsafe)
  return stream != nullptr && sys::is_journal_stream(STDERR_FILENO, stream);
}

// There is nowhere left to report a failure to.
void write_out(std::string_view text) noexcept {
  (void)sys::calls::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace

StderrSink::StderrSink() : base_sink(line_format(is_stderr_the_journal())) {}

void StderrSink::sink_it_(const spdlog::details::log_msg& message) {
  spdlog::memory_buf_t line;
  formatter_->format(message, line);
  write_out({line.data(), line.size()});
}

void report_on_stderr(std::string_view line) {
  write_out((is_stderr_the_journal() ? "<3>echod: " : "echod: ") + std::string(line) + '\n');
}

}  // namespace echod
