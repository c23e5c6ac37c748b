#include "stderr_sink.hpp"

#include <unistd.h>

#include <array>
#include <cstdlib>

#include "append_file.hpp"
#include "line_format.hpp"
#include "syscalls.hpp"

namespace echod {

namespace {

constexpr int kPatienceMs = 100;
constexpr std::size_t kPart = 4096;  // PIPE_BUF: a pipe that is writable takes so much (pipe(7)).

bool is_stderr_the_journal() noexcept {
  const char* const stream = std::getenv("JOURNAL_STREAM");  // NOLINT(concurrency-mt-unsafe)
  return stream != nullptr && sys::is_journal_stream(STDERR_FILENO, stream);
}

// Whether all of `text` was written, waiting at most `patience_ms` for each part of it.
bool write_out(std::string_view text, int patience_ms) noexcept {
  while (!text.empty()) {
    pollfd stream{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    if (sys::calls::poll(&stream, 1, patience_ms) != 1) {
      return false;
    }
    const std::string_view part = text.substr(0, kPart);
    const ssize_t written = sys::calls::write(STDERR_FILENO, part.data(), part.size());
    if (written < 0) {
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

StderrSink::StderrSink() : base_sink(line_format(is_stderr_the_journal())) {}

void StderrSink::sink_it_(const spdlog::details::log_msg& message) {
  spdlog::memory_buf_t line;
  formatter_->format(message, line);
  is_blocked_ = !write_out({line.data(), line.size()}, is_blocked_ ? 0 : kPatienceMs);
  if (is_blocked_) {
    lost_lines_.fetch_add(1);
  }
}

void report_on_stderr(std::string_view line, std::string_view prefix) noexcept {
  const std::string_view priority = is_stderr_the_journal() ? "<3>" : "";
  std::array<char, kPart> text{};  // So that a line goes out as one.
  std::size_t length = 0;
  // There is nowhere left to report a failure to.
  const auto write_text = [&] { (void)write_out({text.data(), length}, kPatienceMs); };
  for (std::string_view piece : {priority, prefix, line, std::string_view("\n")}) {
    while (!piece.empty()) {
      if (length == text.size()) {
        write_text();
        length = 0;
      }
      const std::size_t count = piece.copy(&text[length], text.size() - length);
      length += count;
      piece.remove_prefix(count);
    }
  }
  write_text();
}

}  // namespace echod
