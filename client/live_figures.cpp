#include "client/live_figures.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/report/run_lines.hpp"

namespace echod::client {

namespace {

constexpr const char* kEmptyLine = "\r\033[K";

}  // namespace

LiveFigures::LiveFigures(const Options& options)
    : options_(options),
      stream_(STDERR_FILENO, O_WRONLY),
      is_terminal_(isatty(STDERR_FILENO) == 1) {}

// Results of write() are ignored, because output that was not written is dropped.

void LiveFigures::show(const LoadProgress& progress) const {
  (void)stream_.write(kEmptyLine + cut(progress_line(options_, progress)));
}

void LiveFigures::show(const Interval& interval) const {
  (void)stream_.write((is_terminal_ ? kEmptyLine : "") + interval_line(options_, interval) + '\n');
}

void LiveFigures::clear() const {
  if (is_terminal_) {
    (void)stream_.write(kEmptyLine);
  }
}

// Cuts the line to the width of the terminal: a line that wraps cannot be overwritten.
std::string LiveFigures::cut(const std::string& line) const {
  winsize size{};
  const bool has_size = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return has_size ? line.substr(0, size.ws_col - 1U) : line;
}

}  // namespace echod::client
