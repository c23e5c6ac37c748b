// Receives datagrams and sends them back: one batch at a time, for all UDP sockets of a worker.
//
//   received --> incomplete, or refused by a guard --> dropped and counted
//            --> over the rate of its source ------> dropped and counted
//            --> sent, or not taken by the kernel ---> counted as echoed or as dropped
//
// Nothing is kept for later: what the kernel does not take immediately is dropped. So received =
// echoed + dropped.
//
// A train of datagrams (sys/datagram_batch.hpp) goes back as a train. If the kernel refuses it, its
// datagrams are sent one by one: the path may be unable to cut trains (no checksum offload), or the
// datagrams may be larger than its MTU. After several refusals no trains are sent for a minute.
//
// Thread-safety: belongs to the worker's thread. Never blocks. Only the constructor allocates.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "echo/source_rates.hpp"
#include "sys/clock.hpp"
#include "sys/datagram_batch.hpp"
#include "sys/datagram_replies.hpp"
#include "telemetry/counters.hpp"

namespace echod {

class DatagramRelay {
 public:
  // After this many refused trains in a row, datagrams are sent one by one for kTimeWithoutTrains.
  static constexpr unsigned kMostRefusals = 3;
  static constexpr std::chrono::seconds kTimeWithoutTrains{60};

  // `own_ports`: all ports on which this echod serves UDP. The references must outlive it. Throws
  // std::bad_alloc.
  DatagramRelay(Counters& counters, const std::vector<std::uint16_t>& own_ports);

  void set_per_source(std::uint32_t datagrams) noexcept { rates_.set_per_second(datagrams); }

  struct BatchResult {
    std::size_t received = 0;  // Datagrams and trains.
    std::size_t bytes = 0;
    int error = 0;  // errno of the receive, if it failed for another reason than an empty queue.
  };

  // Receives at most `most` datagrams or trains, at most DatagramBatch::kMost, and echoes them. If
  // fewer than `most` were received and `error` is 0, the queue was empty.
  BatchResult echo(int fd, std::size_t most, sys::TimePoint now) noexcept;

 private:
  void handle(int fd, const sys::ReceivedDatagrams& datagrams, sys::TimePoint now) noexcept;
  void add_replies(int fd, const sys::ReceivedDatagrams& datagrams, sys::TimePoint now) noexcept;
  void flush(int fd, sys::TimePoint now) noexcept;
  [[nodiscard]] int send_from(int fd, sys::DatagramReplies& replies, std::size_t& next) noexcept;
  [[nodiscard]] std::size_t skip(const sys::DatagramReplies& replies, std::size_t next,
                                 int error) noexcept;
  void send_one_by_one(int fd, const sys::DatagramReply& train, sys::TimePoint now) noexcept;

  Counters& counters_;
  const std::vector<std::uint16_t>& own_ports_;
  SourceRates rates_;
  sys::DatagramBatch batch_;
  sys::DatagramReplies replies_;
  sys::DatagramReplies singles_;  // The datagrams of a train that was refused.
  unsigned refusals_ = 0;         // Trains that were refused since one was sent.
  sys::TimePoint no_trains_until_{};
};

}  // namespace echod
