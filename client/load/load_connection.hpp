// One connection of a load run: sends its stream, and compares every byte that comes back.
//
//   state       waits for  a turn does                            goes to
//   ----------  ---------  -------------------------------------  ------------------------------
//   closed      -          nothing                                opening     open(), reopen()
//   opening     OUT        asks how it went (SO_ERROR)            open        connected
//                                                                 closed      failed, or timeout
//   open        IN, OUT    reads, compares, begins, sends         ending      stopping, all is back
//                                                                 diagnosing  a wrong byte
//                                                                 closed      end of file, error,
//                                                                             nothing for too long
//   ending      IN         reads to the end of file               diagnosing  one more byte
//                                                                 closed      end of file, error,
//                                                                             timeout
//   diagnosing  IN         keeps what comes after the wrong byte  closed      enough to name it
//
// A connection that fails is lost. The worker makes it again: at once if it had echoed, else at the
// next sweep. All its failures until it is back count as one. It is back when its first echo has
// come; a connection without messages is back when it is open. In connect mode each message makes a
// new connection, so none is lost.
//
// Ending, it has sent its FIN, so that bytes too many and a server that does not close show too.
//
// All interest is registered once, edge-triggered: OUT is raised only after a send that did not
// fit, so nothing is ever changed about a registration.
//
// Thread-safety: belongs to its worker's thread. Never blocks. Memory that is missing ends the
// process (client/main.cpp), so that functions that allocate may be noexcept.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "channel.hpp"
#include "client_socket.hpp"
#include "clock.hpp"
#include "keyed_stream.hpp"
#include "load_context.hpp"
#include "messages.hpp"
#include "unique_fd.hpp"

namespace echod::client {

class LoadConnection final : public Channel {
 public:
  // `number` among all connections; `slot` among the active ones of this worker, or beyond
  // context.active for one that just stays open.
  LoadConnection(LoadContext& context, std::uint32_t number, std::uint32_t slot);
  ~LoadConnection() override;
  LoadConnection(const LoadConnection&) = delete;
  LoadConnection& operator=(const LoadConnection&) = delete;

  // Starts to connect. Only while closed.
  void open() noexcept;
  // From now on it begins messages: as many as the depth allows, or, in an open loop, as are due.
  void start() noexcept;
  // Open loop: one more message was due, at this moment.
  void message_due(sys::TimePoint due) noexcept;
  // Half-closes once everything that was due or begun is back. context.is_stopping must be set.
  void stop() noexcept;
  // Counts messages that are due and not begun as not sent, and begins none of them any more.
  void give_up_unbegun() noexcept;
  // Waits no longer for what is outstanding.
  void abandon() noexcept;
  // Connects again if it was lost and is closed. No-op if it is not needed any more.
  void reopen() noexcept;
  // Fails if it waits for too long; tries again after a failure. To be called a few times a second.
  void check_timeouts() noexcept;

  Turn on_turn(std::uint32_t events) noexcept override;

 private:
  enum class State : std::uint8_t { closed, opening, open, ending, diagnosing };
  void enter(State state) noexcept;

  [[nodiscard]] bool is_connect_mode() const noexcept {
    return context_.plan.mode == LoadMode::connect;
  }
  void on_opened(sys::TimePoint moment) noexcept;
  // Begins what may be begun, and sends what can be sent.
  void begin_and_send() noexcept;
  void begin_messages() noexcept;
  [[nodiscard]] bool may_begin() const noexcept;
  void begin_message() noexcept;
  void send_unsent() noexcept;
  void half_close_if_done() noexcept;
  void read() noexcept;
  [[nodiscard]] bool measures_arrivals() const noexcept;
  [[nodiscard]] sys::StampedRead receive(std::span<std::byte> into) const noexcept;
  void handle_received(std::span<const std::byte> bytes, const sys::StampedRead& read) noexcept;
  void record_first_byte(sys::TimePoint moment) noexcept;
  void record_answers(const sys::StampedRead& read) noexcept;
  void grow_due_times() noexcept;
  // Where the time at which a message was due stands; of one that is due and not answered.
  [[nodiscard]] sys::TimePoint& due_at(std::uint64_t message) noexcept {
    return due_at_[message & (due_at_.size() - 1)];
  }
  void record_service(std::uint64_t message, sys::TimePoint until) noexcept;
  void record_latency(std::uint64_t message, sys::TimePoint until) noexcept;
  void record_failure(std::uint64_t message) noexcept;
  void on_end_of_file() noexcept;
  void keep_evidence(std::span<const std::byte> bytes) noexcept;
  void finish_diagnosis() noexcept;
  void on_timeout() noexcept;
  // Fails for what is told in `what`, or in the whole line `detail`.
  void fail(LoadError error, const std::string& what) noexcept;
  void fail_with_detail(LoadError error, const std::string& detail) noexcept;
  void fail_to_open(int error) noexcept;
  void close() noexcept;
  void record_tcp_figures() noexcept;
  void record_loss() noexcept;
  void record_recovery(sys::TimePoint moment) noexcept;
  [[nodiscard]] bool is_lost() const noexcept { return lost_at_ != sys::TimePoint(); }
  [[nodiscard]] bool has_unbegun() const noexcept {
    return context_.is_open_loop() && messages_.begun() < due_count_;
  }
  // Whether it should be open.
  [[nodiscard]] bool should_be_open() const noexcept {
    return !context_.is_stopping || has_unbegun();
  }
  [[nodiscard]] sys::TimePoint started_at(std::uint64_t message) noexcept;
  [[nodiscard]] bool has_waited(std::chrono::nanoseconds time) const noexcept;
  [[nodiscard]] KeyedStream stream() const noexcept {
    return KeyedStream(number_, context_.plan.seed);
  }

  LoadContext& context_;
  std::uint32_t number_;
  std::uint32_t slot_;
  sys::UniqueFd fd_;
  State state_ = State::closed;
  bool is_started_ = false;
  bool is_readable_ = false;   // There may be more to read without a new event.
  bool is_writable_ = false;   // The last send took everything.
  bool reads_to_end_ = false;  // RDHUP, HUP or ERR was seen: a short read means nothing.
  bool has_received_ = false;  // Since it was opened, a byte at least.
  bool has_echoed_ = false;    // Since it was opened, a message at least.
  Messages messages_;
  std::uint64_t due_count_ = 0;  // Messages due so far; open loop only.
  // When connecting began, bytes began to be owed or last came, or the first wrong one came.
  sys::TimePoint last_progress_{};
  sys::TimePoint lost_at_{};              // When it failed, until it is back.
  std::vector<sys::TimePoint> begun_at_;  // Of the outstanding messages, by number modulo depth.
  // Open loop: when the messages that are not answered were due, by number modulo its size, which
  // is a power of two.
  std::vector<sys::TimePoint> due_at_;
  std::unique_ptr<std::vector<std::byte>> evidence_;  // From the first wrong byte on.
};

}  // namespace echod::client
