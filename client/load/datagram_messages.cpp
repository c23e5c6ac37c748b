#include "client/load/datagram_messages.hpp"

#include <algorithm>

#include "client/text/figures.hpp"

namespace echod::client {

// What is sent.

void DatagramMessages::add_due(sys::TimePoint due) noexcept {
  due_.push_back(due);
  ++context_.unbegun;
}

std::uint32_t DatagramMessages::next_count() const noexcept {
  if (!is_started_ || !is_active_) {
    return 0;
  }
  if (context_.is_open_loop()) {
    return due_.empty() ? 0 : 1;
  }
  const std::uint32_t burst = context_.plan.burst;
  const bool fits = outstanding() + burst <= context_.plan.depth;
  return fits && !context_.is_stopping ? burst : 0;
}

std::span<const std::byte> DatagramMessages::fill_next(std::span<std::byte> buffer,
                                                       std::uint32_t count) const noexcept {
  std::size_t filled = 0;
  for (std::uint64_t number = window_.next(); number < window_.next() + count; ++number) {
    const std::size_t size = size_of(number);
    format_.fill(buffer.subspan(filled, size), {.socket = number_, .number = number});
    filled += size;
  }
  return buffer.first(filled);
}

void DatagramMessages::on_sent(std::uint32_t count, sys::TimePoint begun) noexcept {
  const bool is_measured = context_.window.contains(context_.loop.now());
  for (std::uint32_t i = 0; i < count; ++i) {
    context_.tally.bytes_sent += is_measured ? size_of(window_.next()) : 0U;
    DatagramTimes times{.start = begun, .sent = begun};
    if (context_.is_open_loop()) {
      times.start = due_.front();
      due_.pop_front();
      --context_.unbegun;
    }
    window_.add(times);
  }
  context_.silence.on_sent(begun);
  context_.in_flight += count;
  context_.tally.datagrams.sent += count;
}

void DatagramMessages::give_up_due() noexcept {
  const sys::TimePoint due = due_.front();
  due_.pop_front();
  --context_.unbegun;
  context_.tally.not_sent += context_.window.contains(due) ? 1U : 0U;
  record_failure(due);
}

void DatagramMessages::give_up_all_due() noexcept {
  while (!due_.empty()) {
    give_up_due();
  }
}

// What came back.

std::optional<DatagramMessages::Wrong> DatagramMessages::on_received(
    std::span<const std::byte> bytes, const sys::StampedRead& read) noexcept {
  const bool is_measured = context_.window.contains(context_.loop.now());
  context_.tally.bytes_received += is_measured ? bytes.size() : 0U;
  const auto id = format_.id_of(bytes);
  if (!id) {
    return Wrong{LoadError::corrupted,
                 bytes_text(bytes.size()) + " that are no datagram of this run: " + preview(bytes)};
  }
  if (id->socket != number_) {
    return Wrong{LoadError::crossed, "got datagram " + std::to_string(id->number) + " of socket " +
                                         std::to_string(id->socket)};
  }
  const DatagramWindow::Answer answer = answer_to(id->number, read);
  if (answer.meaning == DatagramWindow::Meaning::unknown) {
    return Wrong{LoadError::unsolicited,
                 "got datagram " + std::to_string(id->number) + ", which was not sent yet"};
  }
  const bool is_answer = answer.meaning == DatagramWindow::Meaning::answer;
  if (auto wrong = compare(bytes, id->number)) {
    if (is_answer) {
      record_failure(answer.times.start);
    }
    return wrong;
  }
  DatagramCounts& counts = context_.tally.datagrams;
  counts.duplicated += answer.meaning == DatagramWindow::Meaning::duplicate ? 1U : 0U;
  counts.late += answer.meaning == DatagramWindow::Meaning::late ? 1U : 0U;
  counts.reordered += answer.is_reordered ? 1U : 0U;
  if (is_answer) {
    record_answer(answer.times, read);
  }
  return std::nullopt;
}

DatagramWindow::Answer DatagramMessages::answer_to(std::uint64_t number,
                                                   const sys::StampedRead& read) noexcept {
  const DatagramWindow::Answer answer = window_.on_answer(number);
  if (answer.meaning != DatagramWindow::Meaning::answer) {
    return answer;
  }
  if (read.arrived - answer.times.sent > context_.plan.timeout) {
    record_lost(answer.times);  // It was read before lose_sent_by() was called.
    return {.meaning = DatagramWindow::Meaning::late};
  }
  --context_.in_flight;
  return answer;
}

std::optional<DatagramMessages::Wrong> DatagramMessages::compare(
    std::span<const std::byte> bytes, std::uint64_t number) const noexcept {
  const std::size_t size = size_of(number);
  const std::size_t right = format_.count_matching(bytes, {.socket = number_, .number = number});
  if (bytes.size() == size && right == size) {
    return std::nullopt;
  }
  const std::string what =
      bytes.size() == size ? "byte " + std::to_string(right) + " is wrong"
                           : bytes_text(bytes.size()) + " came back, sent were " + bytes_text(size);
  return Wrong{LoadError::corrupted, "datagram " + std::to_string(number) + ": " + what};
}

void DatagramMessages::record_answer(const DatagramTimes& times,
                                     const sys::StampedRead& read) noexcept {
  context_.record_latency(times.start, read.arrived - times.start);
  if (!context_.window.contains(read.arrived)) {
    return;
  }
  ++context_.tally.echoes;
  if (StepTally* const step = context_.step_at(read.arrived); step != nullptr) {
    ++step->echoes;
  }
  context_.tally.receive_lag.record(read.read - read.arrived);
}

// Failures.

void DatagramMessages::record_lost(const DatagramTimes& times) noexcept {
  --context_.in_flight;
  ++context_.tally.datagrams.lost;
  context_.silence.on_lost(times.sent + context_.plan.timeout);
  context_.tally.silence = context_.silence.longest();
  record_failure(times.start);
}

void DatagramMessages::lose_sent_by(sys::TimePoint moment) noexcept {
  while (const auto lost = window_.give_up_sent_by(moment)) {
    record_lost(*lost);
  }
}

void DatagramMessages::fail_outstanding() noexcept {
  while (const auto left = window_.give_up_sent_by(sys::TimePoint::max())) {
    --context_.in_flight;
    record_failure(left->start);
  }
}

// A failure counts as the timeout at least; otherwise a fast failure would look like a fast answer.
void DatagramMessages::record_failure(sys::TimePoint start) noexcept {
  const sys::TimePoint until = std::max(context_.loop.now(), start + context_.plan.timeout);
  context_.record_latency(start, until - start);
}

}  // namespace echod::client
