#include "client/load/tally.hpp"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <utility>

namespace echod::client {

void DatagramCounts::add(const DatagramCounts& other) noexcept {
  sent += other.sent;
  lost += other.lost;
  late += other.late;
  duplicated += other.duplicated;
  reordered += other.reordered;
  dropped_here += other.dropped_here;
  split_bursts += other.split_bursts;
}

double DatagramCounts::loss_percent() const noexcept {
  constexpr double kAll = 100;
  return sent > 0 ? static_cast<double>(lost) / static_cast<double>(sent) * kAll : 0;
}

void Tally::count(LoadError error, std::string detail) {
  ++errors[static_cast<std::size_t>(error)];
  if (details.size() < kMostDetails) {
    details.push_back({.time = sys::MonotonicClock::now(), .text = std::move(detail)});
  }
}

std::vector<std::string> Tally::detail_lines() const {
  std::vector<std::string> lines;
  std::ranges::transform(details, std::back_inserter(lines), &Detail::text);
  return lines;
}

std::uint64_t Tally::errors_in_all() const noexcept {
  return std::accumulate(errors.begin(), errors.end(), std::uint64_t{0});
}

std::uint64_t Tally::mismatches() const noexcept {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kLoadErrors; ++i) {
    sum += is_mismatch(static_cast<LoadError>(i)) ? errors[i] : 0;
  }
  return sum;
}

void StepTally::add(const StepTally& other) noexcept {
  echoes += other.echoes;
  latency.add(other.latency);
  service.add(other.service);
}

void Tally::add(const Tally& other) {
  connected += other.connected;
  lost += other.lost;
  outage.add(other.outage);
  for (std::size_t i = 0; i < kLoadErrors; ++i) {
    errors[i] += other.errors[i];
  }
  retransmissions += other.retransmissions;
  round_trip.add(other.round_trip);
  details.insert(details.end(), other.details.begin(), other.details.end());
  std::ranges::stable_sort(details, {}, &Detail::time);
  details.resize(std::min(details.size(), kMostDetails));
  if (datagrams.sent == 0 || (other.datagrams.sent > 0 && other.silence < silence)) {
    silence = other.silence;
  }
  datagrams.add(other.datagrams);
  echoes += other.echoes;
  bytes_sent += other.bytes_sent;
  bytes_received += other.bytes_received;
  not_sent += other.not_sent;
  due_while_lost += other.due_while_lost;
  latency.add(other.latency);
  connect.add(other.connect);
  first_byte.add(other.first_byte);
  send_lag.add(other.send_lag);
  receive_lag.add(other.receive_lag);
  service.add(other.service);
}

}  // namespace echod::client
