#include "explorer.hpp"

#include <algorithm>

#include "sys/invariant.hpp"

namespace echod::test {

Explorer::Explorer(const Scenario& scenario, std::size_t depth)
    : scenario_(scenario), depth_(depth) {
  nodes_.push_back({});
}

const std::string& Explorer::explore() {
  for (std::uint32_t node = 0; node < nodes_.size() && violation_.empty(); ++node) {
    run(node, false);
    ++runs_;
  }
  if (!violation_.empty()) {
    is_repeated_ = true;
    run(current_, true);
  }
  return violation_;
}

void Explorer::load(std::uint32_t node) {
  current_ = node;
  sequence_.clear();
  for (std::uint32_t i = node; i != 0; i = nodes_[i].parent) {
    sequence_.push_back(nodes_[i].last);
  }
  std::reverse(sequence_.begin(), sequence_.end());
  longest_ = std::max(longest_, sequence_.size());
}

void Explorer::run(std::uint32_t node, bool keeps_trace) {
  load(node);
  made_ = 0;
  point_ = 0;
  at_wait_ = 0;
  is_ending_ = false;
  iterations_.clear();
  World world(*this, scenario_.world);
  world_ = &world;
  if (keeps_trace) {
    world.kernel().keep_trace();
  }
  world.run();
  world_ = nullptr;
  invariant(made_ == sequence_.size(), "a run repeats the calls of the run that it extends");
  calls_ += world.kernel().calls();
  violation_ = world.kernel().violation();
  trace_ = world.kernel().trace();
}

std::vector<std::string> Explorer::current_sequence() const {
  std::vector<std::string> lines;
  for (const Move& move : sequence_) {
    lines.push_back("before call " + std::to_string(move.point) + ": " +
                    (move.act == kDrain ? "echod is told to drain"
                                        : "client " + std::to_string(move.connection) + ' ' +
                                              name_of(static_cast<Act>(move.act))));
  }
  return lines;
}

void Explorer::on_call(Call call) noexcept {
  if (call == Call::wait) {
    Fingerprint daemon;
    world_->describe(daemon);
    at_wait_ = daemon.value();
  }
  while (made_ < sequence_.size() && sequence_[made_].point == point_) {
    make(sequence_[made_++]);
  }
  if (made_ == sequence_.size()) {
    look(call);
  }
  ++point_;
}

void Explorer::make(const Move& move) noexcept {
  if (move.act == kDrain) {
    world_->drain();
  } else {
    world_->kernel().act(static_cast<Act>(move.act), move.connection);
  }
}

void Explorer::look(Call call) noexcept {
  Fingerprint state;
  state.add(at_wait_);
  state.add(world_->kernel().told_since_wait());
  state.add(world_->was_told_to_drain() ? 1 : 0);
  world_->kernel().describe(state);
  if (call == Call::wait) {
    if (std::find(iterations_.begin(), iterations_.end(), state.value()) != iterations_.end()) {
      world_->kernel().violate("iterations repeat without end");
      return;
    }
    iterations_.push_back(state.value());
  }
  if (is_ending_ || is_repeated_) {
    return;
  }
  if (seen_.insert(state.value()).second) {
    branch();
  } else {
    world_->kernel().stop();
  }
}

// Adds a sequence for each act that is possible now.
void Explorer::branch() noexcept {
  for (std::uint8_t act = 0; act <= kDrain; ++act) {
    const std::size_t connections = act == kDrain ? 1 : world_->kernel().connections();
    for (std::uint8_t i = 0; i < connections; ++i) {
      const Move move{.point = point_, .act = act, .connection = i};
      if (!is_possible(move)) {
        continue;
      }
      if (sequence_.size() < depth_) {
        nodes_.push_back({.parent = current_, .last = move});
      } else {
        is_complete_ = false;
      }
    }
  }
}

bool Explorer::is_possible(const Move& move) noexcept {
  if (move.act == kDrain) {
    return scenario_.has_drain && !world_->was_told_to_drain();
  }
  const auto act = static_cast<Act>(move.act);
  const bool is_wanted = (act != Act::send_urgent || scenario_.has_urgent_bytes) &&
                         (act != Act::reset || scenario_.has_resets);
  return is_wanted && world_->kernel().can(act, move.connection);
}

bool Explorer::on_block() noexcept {
  is_ending_ = true;
  iterations_.clear();
  if (world_->let_end()) {
    return true;
  }
  world_->kernel().stop();
  return false;
}

}  // namespace echod::test
