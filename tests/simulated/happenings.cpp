#include "happenings.hpp"

#include <cstring>

namespace echod::test {

namespace {

using Kind = Happening::Kind;

class Happenings final : public Outside {
 public:
  explicit Happenings(const std::vector<Happening>& happenings) : happenings_(happenings) {}

  void in(World& world) { world_ = &world; }

  void on_call(Call /*call*/) noexcept override {
    while (next_ < happenings_.size() && calls_ >= happenings_[next_].pause) {
      happen(happenings_[next_++]);
    }
    ++calls_;
  }

  bool on_block() noexcept override {
    if (next_ < happenings_.size()) {
      happen(happenings_[next_++]);
      return true;
    }
    if (world_->let_end()) {
      return true;
    }
    world_->kernel().stop();
    return false;
  }

 private:
  void happen(const Happening& what) {
    calls_ = 0;
    SimulatedKernel& kernel = world_->kernel();
    const std::size_t connection = what.connection % kernel.connections();
    switch (what.kind) {
      case Kind::act:
        for (unsigned i = 0; i < what.times && kernel.can(what.act, connection); ++i) {
          kernel.act(what.act, connection);
        }
        return;
      case Kind::failure:
        return kernel.inject(connection, {.call = what.call, .error = what.error});
      case Kind::short_write:
        return kernel.inject(connection, {.call = what.call, .most = what.times});
      case Kind::drain:
        if (!world_->was_told_to_drain()) {
          world_->drain();
        }
        return;
      case Kind::abort:
        return world_->abort();
      case Kind::close:
        return world_->close_by_operator(connection);
      case Kind::time:
        return world_->let_time_pass(std::chrono::milliseconds(500) * what.times);
      case Kind::other_blocks:
        return world_->set_blocks(what.times % 3);
    }
  }

  const std::vector<Happening>& happenings_;
  World* world_ = nullptr;
  std::size_t next_ = 0;
  unsigned calls_ = 0;  // Since something happened last.
};

std::string text_of(const Happening& happening) {
  const std::string call =
      name_of(happening.call) + " on connection " + std::to_string(happening.connection);
  const std::string times = std::to_string(happening.times);
  switch (happening.kind) {
    case Kind::act:
      return "client " + std::to_string(happening.connection) + ' ' + name_of(happening.act) +
             ", " + times + " times";
    case Kind::failure:
      return "the next " + call + " fails: " + strerrorname_np(happening.error);
    case Kind::short_write:
      return "the next " + call + " takes " + times + " bytes";
    case Kind::drain:
      return "drain";
    case Kind::abort:
      return "close all connections";
    case Kind::close:
      return "an operator closes connection " + std::to_string(happening.connection);
    case Kind::time:
      return times + " halves of a second pass";
    case Kind::other_blocks:
      return "reload with another number of blocks: " + times + " modulo 3";
  }
  return "";
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Happening& happening) {
  return out << "after " << happening.pause << " calls: " << text_of(happening);
}

std::ostream& operator<<(std::ostream& out, const WorldSettings& settings) {
  return out << settings.connections << (settings.socket.is_local ? " UNIX" : " TCP")
             << " connections, queues of " << settings.socket.receive_bytes << " and "
             << settings.socket.send_bytes << " bytes, " << settings.blocks << " blocks of "
             << settings.block_bytes << " bytes, turns of " << settings.turn_bytes << " bytes or "
             << settings.turn_reads << " reads, " << settings.pipes << " pipes of which "
             << settings.socket.most_pipes << " can be opened and " << settings.socket.full_pipes
             << " get the size asked for, " << (settings.has_timeouts ? "with" : "without")
             << " timeouts";
}

std::string play(const WorldSettings& settings, const std::vector<Happening>& happenings,
                 bool keeps_trace) {
  Happenings outside(happenings);
  World world(outside, settings);
  outside.in(world);
  if (keeps_trace) {
    world.kernel().keep_trace();
  }
  world.run();
  std::string text = world.kernel().violation();
  for (const std::string& line : world.kernel().trace()) {
    text += "\n  " + line;
  }
  return text;
}

}  // namespace echod::test
