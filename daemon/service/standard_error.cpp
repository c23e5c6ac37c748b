#include "service/standard_error.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>

#include "sys/append_file.hpp"
#include "sys/shared_stream.hpp"

namespace echod {

namespace {

constexpr std::chrono::milliseconds kTimeout{100};

}  // namespace

bool is_stderr_the_journal() noexcept {
  const char* const stream = std::getenv("JOURNAL_STREAM");  // NOLINT(concurrency-mt-unsafe)
  return stream != nullptr && sys::is_journal_stream(STDERR_FILENO, stream);
}

void report_on_stderr(std::string_view line, std::string_view prefix) noexcept {
  constexpr std::size_t kPart = 4096;
  const sys::TimePoint deadline = sys::MonotonicClock::now() + kTimeout;
  const sys::SharedStream stream(STDERR_FILENO, O_WRONLY);
  if (is_stderr_the_journal()) {
    prefix = "<3>";
  }
  std::array<char, kPart> text{};  // Collects the pieces, so that a line is one write.
  std::size_t length = 0;
  // A failure cannot be reported anywhere.
  const auto write_text = [&] { (void)stream.write_all({text.data(), length}, deadline); };
  for (std::string_view piece : {prefix, line, std::string_view("\n")}) {
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
