// Tries everything that clients and the network can do to a few connections, at every moment at
// which it can make a difference: before each system call.
//
// A sequence says before which call of the daemon, counted from the start, the outside does what. A
// run is the daemon from the start to rest, with a sequence; so nothing is ever saved or restored.
// Beyond the end of its sequence a run looks at each state that it comes to: one that is new is
// remembered, and for everything that the outside could do in it there is one more sequence to run,
// longer by one; at one that is known the run ends, since what follows has been tried or will be.
// Sequences run in the order of their lengths, so the first failure is one of the shortest.
//
// Two states are the same if all that decides the future is: between iterations what connections,
// loop and kernel know (World::describe(), SimulatedKernel::describe()); within one the same at its
// beginning, what the calls since then returned, and the kernel now.
//
// Each run goes on from its last new state without the outside until the daemon waits; then the
// clients take all that is there for them, and everything must have come back; then they finish,
// and all must be closed. So from every state: bytes may not wait with nobody scheduled, and
// iterations may not repeat without end.
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
  std::string what;  // In words.
  WorldSettings world{};
  bool has_urgent_bytes = false;
  bool has_resets = false;
  bool has_drain = false;
  std::size_t depth = 0;  // Acts in the longest sequences that are run unless asked otherwise.
};

class Explorer final : public Outside {
 public:
  // Sequences of at most `depth` acts.
  Explorer(const Scenario& scenario, std::size_t depth);

  // Runs until everything is tried or something is violated; then that is the result, else "".
  const std::string& explore();

  [[nodiscard]] std::size_t runs() const noexcept { return runs_; }
  [[nodiscard]] std::size_t states() const noexcept { return seen_.size(); }
  [[nodiscard]] std::uint64_t calls() const noexcept { return calls_; }
  // Of the longest sequence that was run.
  [[nodiscard]] std::size_t longest() const noexcept { return longest_; }
  // No sequence was left out: there are no more states.
  [[nodiscard]] bool is_complete() const noexcept { return is_complete_; }
  // The run that ended with the violation, call by call.
  [[nodiscard]] const std::vector<std::string>& trace() const noexcept { return trace_; }
  // That of the current run in words; for an abort in the middle of it.
  [[nodiscard]] std::vector<std::string> current_sequence() const;

  void on_call(Call call) noexcept override;
  bool on_block() noexcept override;

 private:
  static constexpr std::uint8_t kDrain = 5;  // What is no Act of a client.

  struct Move {
    std::uint32_t point;  // The number of the call before which it happens.
    std::uint8_t act;
    std::uint8_t connection;
  };
  // A sequence is that of its parent and one move more; the first has none.
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

  // Of the current run.
  World* world_ = nullptr;
  std::uint32_t current_ = 0;
  std::vector<Move> sequence_;
  std::size_t made_ = 0;                   // Moves of the sequence.
  std::uint32_t point_ = 0;                // The next call's number.
  std::uint64_t at_wait_ = 0;              // The daemon's fingerprint when the last wait began.
  bool is_ending_ = false;                 // let_end() acts.
  bool is_repeated_ = false;               // To keep the trace: nothing is learnt.
  std::vector<std::uint64_t> iterations_;  // States at waits since the outside acted last.
};

}  // namespace echod::test
