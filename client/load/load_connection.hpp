// One connection of a load run: connects, sends its messages, checks what comes back, and ends.
//
//   state        waits for  a turn does                       next state
//   -----------  ---------  --------------------------------  -----------------------------------
//   closed       -          nothing                           opening      open(), reopen(); mode
//                                                                          connect: next message
//   opening      OUT        gets the result of connecting     open         connected
//                                                             closed       failed or timed out
//   open         IN, OUT    reads, checks, begins messages,   half_closed  FIN sent
//                           sends                             diagnosing   wrong byte
//                                                             closed       end of file, error,
//                                                                          timeout
//   half_closed  IN         reads and checks to the end of    diagnosing   wrong or surplus byte
//                           file                              closed       end of file, error,
//                                                                          timeout
//   diagnosing   IN         keeps the bytes from the wrong    closed       fault named
//                           one on
//
// The connection decides what happens next. Its parts do the work:
//
//   LoadSocket    the descriptor, what epoll reported, connecting, TCP statistics
//   LoadMessages  which messages begin, their bytes and times, what the tally records of them
//   AnswerCheck   compares what came back, keeps evidence, names the fault
//
// A connection sends its FIN when the run is stopping and everything has come back. In mode connect
// it sends its FIN right after the message. It then waits for the server's FIN, so that surplus
// bytes and a server that does not close are detected. An end of file is an error if bytes are
// missing (LoadError::truncated) or if no FIN was sent (LoadError::closed_early).
//
// A connection that fails is lost. The worker reconnects it: at once if it had echoed, otherwise at
// the next sweep, but not before context.is_ready is set. It has recovered when its first
// echo arrives, or, if it sends no messages, when it is open. Until then only mismatches
// (load_error.hpp) count as further errors. In mode connect each message makes a new connection, so
// no connection is ever lost.
//
// A UNIX socket connects at once or not at all. While the server's accept queue is full, the state
// is `opening` without a socket, and check_timeouts() tries again.
//
// Thread-safety: used only by its worker's thread. Never blocks. Running out of memory ends the
// process (client/main.cpp), so functions that allocate may be noexcept.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "client/load/answer_check.hpp"
#include "client/load/load_context.hpp"
#include "client/load/load_messages.hpp"
#include "client/load/load_peer.hpp"
#include "client/load/load_socket.hpp"
#include "sys/clock.hpp"

namespace echod::client {

class LoadConnection final : public LoadPeer {
 public:
  // `number` counts the connections of the run, `slot` those of this worker. The connection sends
  // messages if `slot` is below context.active; otherwise it only stays open.
  LoadConnection(LoadContext& context, std::uint32_t number, std::uint32_t slot);
  ~LoadConnection() override = default;
  LoadConnection(const LoadConnection&) = delete;
  LoadConnection& operator=(const LoadConnection&) = delete;

  void open() noexcept override;
  void start() noexcept override;
  void message_due(sys::TimePoint due) noexcept override;
  // Half-closes as soon as every message due or begun is answered, or closes if it is opening and
  // no message is.
  void stop() noexcept override;
  void give_up_unbegun() noexcept override;
  // Finishes a diagnosis, fails if messages are outstanding, or closes if it is opening or
  // half-closed.
  void abandon() noexcept override;
  // Reconnects if lost and closed, once context.is_ready is set.
  void reopen() noexcept override;
  // Fails if it has waited for the timeout: for the connection, for owed bytes or for the end of
  // file. Ends a diagnosis after kEvidenceTime. Reconnects if lost. In mode connect, begins the
  // next message if the last one failed.
  void check_timeouts() noexcept override;

  Turn on_turn(std::uint32_t events) noexcept override;

 private:
  enum class State : std::uint8_t { closed, opening, open, half_closed, diagnosing };
  void enter(State state) noexcept;

  [[nodiscard]] bool is_connect_mode() const noexcept {
    return context_.plan.mode == LoadMode::connect;
  }
  [[nodiscard]] const MessageCounts& counts() const noexcept { return messages_.counts(); }

  void connect() noexcept;
  [[nodiscard]] bool finish_connecting(std::uint32_t events) noexcept;
  void on_opened(sys::TimePoint moment) noexcept;
  void close() noexcept;

  // Begins messages, sends, and half-closes if everything is done.
  void begin_and_send() noexcept;
  void begin_messages() noexcept;
  void send_unsent() noexcept;
  void half_close_if_done() noexcept;
  void half_close() noexcept;

  void read() noexcept;
  void handle_received(std::span<const std::byte> bytes, const sys::StampedRead& read) noexcept;
  void on_end_of_file() noexcept;
  void keep_evidence(std::span<const std::byte> bytes) noexcept;
  void finish_diagnosis() noexcept;

  void on_timeout() noexcept;
  [[nodiscard]] bool has_waited(sys::Duration time) const noexcept;
  // Counts the error and closes by reset. fail() puts the connection's number before `what`;
  // `detail` is a complete line.
  void fail(LoadError error, const std::string& what) noexcept;
  void fail_with_detail(LoadError error, const std::string& detail) noexcept;
  void fail_to_open(int error) noexcept;
  [[nodiscard]] bool is_lost() const noexcept { return lost_at_ != sys::TimePoint(); }
  void record_loss() noexcept;
  void record_recovery(sys::TimePoint moment) noexcept;

  LoadContext& context_;
  std::uint32_t slot_;
  State state_ = State::closed;
  bool has_echoed_ = false;  // At least one message since it was opened.
  LoadSocket socket_;
  LoadMessages messages_;
  AnswerCheck check_;
  // When it last started to connect or to await bytes, sent its FIN, or received bytes. Not updated
  // while diagnosing.
  sys::TimePoint last_progress_{};
  sys::TimePoint lost_at_{};  // When it was lost; 0 if it is not lost.
};

}  // namespace echod::client
