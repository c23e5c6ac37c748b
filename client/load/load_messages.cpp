#include "client/load/load_messages.hpp"

#include <algorithm>
#include <utility>

#include "client/stream/keyed_stream.hpp"

namespace echod::client {

// What is sent.

void LoadMessages::add_due(sys::TimePoint due) noexcept {
  times_.add_due(counts_.answered(), due);
  ++context_.unbegun;
}

bool LoadMessages::may_begin() const noexcept {
  const bool is_due = context_.is_open_loop() ? has_unbegun() : !context_.is_stopping;
  return is_started_ && is_due && counts_.outstanding() < context_.plan.depth;
}

void LoadMessages::begin(sys::TimePoint now) noexcept {
  times_.set_begun(counts_.begun(), now);
  context_.unbegun -= context_.is_open_loop() ? 1U : 0U;
  counts_.begin();
  ++context_.in_flight;
  has_first_byte_ = false;
}

std::span<const std::byte> LoadMessages::fill_unsent(std::span<std::byte> buffer) const noexcept {
  const auto bytes = buffer.first(std::min<std::uint64_t>(counts_.unsent_bytes(), buffer.size()));
  KeyedStream(counts_.connection(), context_.plan.seed).fill(bytes, counts_.sent());
  return bytes;
}

void LoadMessages::on_sent(std::size_t bytes) noexcept {
  counts_.on_sent(bytes);
  context_.tally.bytes_sent += context_.window.contains(context_.loop.now()) ? bytes : 0U;
}

// What came back.

std::uint64_t LoadMessages::on_received(std::size_t bytes, const sys::StampedRead& read) noexcept {
  counts_.on_received(bytes);
  if (context_.plan.mode != LoadMode::connect) {
    return record_answers(read);
  }
  if (bytes > 0 && !std::exchange(has_first_byte_, true)) {
    record_first_byte(read.arrived);
  }
  return 0;
}

void LoadMessages::on_end_of_file(sys::TimePoint moment) noexcept {
  record_answers({.result = sys::IoResult::of(0), .arrived = moment, .read = moment});
}

bool LoadMessages::is_oldest_measured() const noexcept {
  return context_.window.contains(times_.latency_start(counts_.answered()));
}

void LoadMessages::record_first_byte(sys::TimePoint moment) noexcept {
  if (is_oldest_measured()) {
    context_.tally.first_byte.record(moment - times_.begun(counts_.answered()));
  }
}

std::uint64_t LoadMessages::record_answers(const sys::StampedRead& read) noexcept {
  const std::uint64_t first = counts_.answered();
  for (std::uint64_t message = first; counts_.count_answer(); ++message) {
    --context_.in_flight;
    record_latency(message, read.arrived);
    record_service(message, read.arrived);
  }
  const std::uint64_t answers = counts_.answered() - first;
  if (answers > 0 && context_.window.contains(read.arrived)) {
    context_.tally.echoes += answers;
    if (StepTally* const step = context_.step_at(read.arrived); step != nullptr) {
      step->echoes += answers;
    }
    if (context_.uses_kernel_timestamps()) {
      context_.tally.receive_lag.record(read.read - read.arrived, answers);
    }
  }
  return answers;
}

// Mode stream has no latency: its messages wait for each other.
void LoadMessages::record_latency(std::uint64_t message, sys::TimePoint until) noexcept {
  if (context_.plan.mode != LoadMode::stream) {
    const sys::TimePoint start = times_.latency_start(message);
    context_.record_latency(start, until - start);
  }
}

// The service time limits the rate that a number of connections can reach (verdict.hpp).
void LoadMessages::record_service(std::uint64_t message, sys::TimePoint until) noexcept {
  if (!context_.is_open_loop() || !context_.window.contains(until)) {
    return;
  }
  const ServiceTime one{.messages = 1, .total = until - times_.begun(message)};
  context_.tally.service.add(one);
  if (StepTally* const step = context_.step_at(until); step != nullptr) {
    step->service.add(one);
  }
}

// Failures.

// A failure counts as the timeout at least; otherwise a fast failure would look like a fast answer.
void LoadMessages::record_failure(std::uint64_t message) noexcept {
  record_latency(message, std::max(context_.loop.now(),
                                   times_.latency_start(message) + context_.plan.timeout));
}

void LoadMessages::fail_outstanding() noexcept {
  for (std::uint64_t message = counts_.answered(); message < counts_.begun(); ++message) {
    record_failure(message);
  }
  context_.in_flight -= counts_.outstanding();
  counts_.abandon();
}

void LoadMessages::give_up_unbegun() noexcept {
  for (std::uint64_t message = counts_.begun(); message < times_.due_count(); ++message) {
    context_.tally.not_sent += context_.window.contains(times_.latency_start(message)) ? 1U : 0U;
    record_failure(message);
  }
  context_.unbegun -= times_.due_count() - counts_.begun();
  times_.drop_due_from(counts_.begun());
}

}  // namespace echod::client
