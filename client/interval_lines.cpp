#include "client/interval_lines.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "client/output.hpp"
#include "client/report/json_report.hpp"

namespace echod::client {

IntervalLines::IntervalLines(const std::string& name)
    : name_(name),
      is_standard_output_(is_name_of_standard_output(name)),
      fd_(is_standard_output_ ? sys::UniqueFd() : open_output(name, O_CREAT | O_TRUNC)),
      stream_(is_standard_output_ ? STDOUT_FILENO : fd_.get(), O_WRONLY) {}

void IntervalLines::add(const Interval& interval) {
  if (error_ != 0) {
    return;
  }
  waiting_ += interval_json(interval) + '\n';
  const sys::IoResult written = stream_.write(waiting_);
  waiting_.erase(0, written.count());
  if (!written.ok() && !written.would_block() && written.error() != EINTR) {
    error_ = written.error();
  }
}

void IntervalLines::finish() {
  if (error_ == 0) {
    error_ = sys::write_waiting(is_standard_output_ ? STDOUT_FILENO : fd_.get(), waiting_).error();
  }
  require_written(error_, name_);
}

}  // namespace echod::client
