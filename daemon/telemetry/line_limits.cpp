#include "telemetry/line_limits.hpp"

#include <chrono>
#include <utility>

namespace echod {

namespace {

bool is_shortage(LineLimits::RareLine kind) noexcept {
  return kind == LineLimits::RareLine::full || kind == LineLimits::RareLine::resources;
}

}  // namespace

void LineLimits::set_per_second(std::uint32_t lines) noexcept {
  const std::scoped_lock lock(mutex_);
  per_second_ = lines;
}

std::uint32_t LineLimits::per_second() noexcept {
  const std::scoped_lock lock(mutex_);
  return per_second_;
}

LineLimits::Verdict LineLimits::admit(sys::TimePoint now) noexcept {
  constexpr std::chrono::seconds kSecond{1};
  const std::scoped_lock lock(mutex_);
  Verdict verdict;
  if (now - second_ >= kSecond) {
    verdict.suppressed = std::exchange(suppressed_, 0);
    second_ = now;
    lines_ = 0;
  }
  verdict.end_of_second = second_ + kSecond;
  verdict.admits = per_second_ == 0 || lines_ < per_second_;
  if (verdict.admits) {
    ++lines_;
  } else {
    verdict.is_first_suppressed = ++suppressed_ == 1;
  }
  return verdict;
}

std::uint64_t LineLimits::fetch_suppressed() noexcept {
  const std::scoped_lock lock(mutex_);
  return std::exchange(suppressed_, 0);
}

bool LineLimits::admits_rare(RareLine kind, sys::TimePoint now) noexcept {
  const std::scoped_lock lock(mutex_);
  sys::TimePoint& next = next_.at(static_cast<std::size_t>(kind));
  if (now < next) {
    return false;
  }
  next = now + std::chrono::minutes(1);
  if (is_shortage(kind)) {
    previous_silence_end_ = shortage_silence_end_.exchange(next);
  }
  return true;
}

void LineLimits::readmit_rare(RareLine kind) noexcept {
  const std::scoped_lock lock(mutex_);
  next_.at(static_cast<std::size_t>(kind)) = {};
  if (is_shortage(kind)) {
    shortage_silence_end_.store(previous_silence_end_);
  }
}

}  // namespace echod
