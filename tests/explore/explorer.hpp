// Model checker for the worker: tries everything that clients and the network can do to a few
// connections, at every moment when it can make a difference, which is before each system call.
//
// A sequence is a list of acts of the outside: of the clients, of the network, or the command to
// drain. Each act happens before a certain call of the daemon, counted from the start.
//
// A run is the daemon from its start to its rest, with a sequence. No state is ever saved or
// restored.
//
// After the last act of its sequence, a run checks each state that it reaches. If the state is new,
// it is stored, and each act that is possible in it makes a new sequence, longer by one. If the
// state is known, the run ends, because its future has been tried or will be tried. Sequences run
// in the order of their length, so the first failure is one of the shortest.
//
// Two states are the same if everything is the same that decides the future. Between iterations
// that is the state of connections, loop and kernel (World::describe(),
// SimulatedKernel::describe()). Inside an iteration it is that state at the begin of the iteration,
// the results of the calls since then, and the state of the kernel now.
//
// From its last new state, each run goes on without acts until the daemon waits. Then the clients
// take everything that was sent to them, and all bytes must have come back. Then the clients
// finish, and all connections must be closed. So in every state: no bytes may wait without a
// scheduled turn, and iterations may not repeat without end.
//
// Thread-safety: none.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "world.hpp"

namespace echod::test {

struct Scenario {
  std::string name;
  std::string what;  // A description.
  WorldSettings world{};
  bool has_urgent_bytes = false;
  bool has_resets = false;
  bool has_drain = false;
  std::size_t depth = 0;  // The default for the most acts in a sequence.
};

class Explorer final : public Outside {
 public:
  // Explores sequences of at most `depth` acts. Keeps a reference to `scenario`.
  Explorer(const Scenario& scenario, std::size_t depth);

  // Runs until everything is tried or a rule is violated. Returns the rule, or "".
  const std::string& explore();

  [[nodiscard]] std::size_t runs() const noexcept { return runs_; }
  [[nodiscard]] std::size_t states() const noexcept { return seen_.size(); }
  [[nodiscard]] std::uint64_t calls() const noexcept { return calls_; }
  // The number of acts in the longest sequence that was run.
  [[nodiscard]] std::size_t longest() const noexcept { return longest_; }
  // True if no sequence was left out because of the depth: all reachable states were tried.
  [[nodiscard]] bool is_complete() const noexcept { return is_complete_; }
  // The run that ended with the violation, call by call.
  [[nodiscard]] const std::vector<std::string>& trace() const noexcept { return trace_; }
  // The sequence of the current run, as text. For an abort during the run.
  [[nodiscard]] std::vector<std::string> current_sequence() const;

  void on_call(Call call) noexcept override;
  bool on_block() noexcept override;

 private:
  static constexpr std::uint8_t kDrain = 5;  // The command to drain; smaller values are an Act.

  struct Move {
    std::uint32_t point;  // The number of the call before which it happens.
    std::uint8_t act;
    std::uint8_t connection;
  };
  // A sequence is that of its parent plus one move. The first node has an empty sequence.
  struct Node {
    std::uint32_t parent;
    Move last;
  };

  void run(std::uint32_t node, bool keeps_trace);
  void load(std::uint32_t node);
  void make(const Move& move) noexcept;
  void look(Call call) noexcept;
  void branch() noexcept;
  [[nodiscard]] bool is_possible(const Move& move) noexcept;

  const Scenario& scenario_;
  std::size_t depth_;
  std::vector<Node> nodes_;
  std::unordered_set<std::uint64_t> seen_;
  std::size_t runs_ = 0;
  std::uint64_t calls_ = 0;
  std::size_t longest_ = 0;
  bool is_complete_ = true;
  std::string violation_;
  std::vector<std::string> trace_;

  // State of the current run.
  World* world_ = nullptr;
  std::uint32_t current_ = 0;
  std::vector<Move> sequence_;
  std::size_t made_ = 0;                   // Moves of the sequence that were made.
  std::uint32_t point_ = 0;                // The number of the next call.
  std::uint64_t at_wait_ = 0;              // The daemon's fingerprint when the last wait began.
  bool is_ending_ = false;                 // The acts are now those of World::let_end().
  bool is_repeated_ = false;               // The run repeats a violation to keep its trace.
  std::vector<std::uint64_t> iterations_;  // The states at waits since the last act.
};

}  // namespace echod::test
