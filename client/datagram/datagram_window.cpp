#include "client/datagram/datagram_window.hpp"

#include <algorithm>

namespace echod::client {

void DatagramWindow::add(const DatagramTimes& times) {
  entries_.push_back({.times = times});
  ++outstanding_;
}

DatagramWindow::Answer DatagramWindow::on_answer(std::uint64_t number) {
  if (number >= next()) {
    return {.meaning = Meaning::unknown};
  }
  if (number < after_forgotten_) {
    return {.meaning = Meaning::late};
  }
  if (number < first_) {
    const auto late = std::ranges::lower_bound(given_up_, number);
    if (late == given_up_.end() || *late != number) {
      return {.meaning = Meaning::duplicate};
    }
    given_up_.erase(late);
    return {.meaning = Meaning::late};
  }
  Entry& entry = entries_[number - first_];
  if (entry.is_answered) {
    return {.meaning = Meaning::duplicate};
  }
  entry.is_answered = true;
  --outstanding_;
  const Answer answer{
      .meaning = Meaning::answer, .is_reordered = number < after_latest_, .times = entry.times};
  after_latest_ = std::max(after_latest_, number + 1);
  drop_answered();
  return answer;
}

bool DatagramWindow::has_outstanding_sent_by(sys::TimePoint moment) const noexcept {
  return !entries_.empty() && entries_.front().times.sent <= moment;
}

std::optional<DatagramTimes> DatagramWindow::give_up_sent_by(sys::TimePoint moment) {
  if (!has_outstanding_sent_by(moment)) {
    return std::nullopt;
  }
  const DatagramTimes times = entries_.front().times;
  given_up_.push_back(first_);
  if (given_up_.size() > kRemembered) {
    after_forgotten_ = given_up_.front() + 1;
    given_up_.pop_front();
  }
  entries_.pop_front();
  ++first_;
  --outstanding_;
  drop_answered();
  return times;
}

void DatagramWindow::drop_answered() noexcept {
  while (!entries_.empty() && entries_.front().is_answered) {
    entries_.pop_front();
    ++first_;
  }
}

}  // namespace echod::client
