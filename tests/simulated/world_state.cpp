// Adds private state of connections, loop and visit to fingerprints. Two states may have the same
// fingerprint only if everything is the same that decides the future. This file is compiled with
// -fno-access-control, so that the classes need no friend for it.
#include "all_connections.hpp"
#include "world.hpp"

namespace echod::test {

void World::describe(Fingerprint& into) {
  visit_all(context_.table, [&into](Connection& connection) {
    into.add(connection.table_index());
    into.add(static_cast<std::uint64_t>(connection.state_));
    into.add(connection.must_read_to_eagain_ ? 1 : 0);
    into.add(connection.drain_allowance_);
    into.add(connection.reply_ != nullptr ? connection.reply_->size() + 1 : 0);
    into.add(connection.relay_state_.pinned_rounds);
    into.add(connection.relay_state_.patience);
    into.add(connection.relay_state_.copies_left);
  });
  into.add(drain_visit_.next_chunk_);
  describe_list(loop_.ready_, into);
  describe_list(loop_.served_, into);
  into.add(context_.is_draining ? 1 : 0);
}

void World::describe_list(IntrusiveList<Channel>& list, Fingerprint& into) const {
  constexpr std::uint64_t kEnd = UINT64_MAX;
  IntrusiveList<Channel> waiting;
  waiting.append_all(list);
  while (Channel* const channel = waiting.pop_front()) {
    into.add(number_of(*channel));
    into.add(channel->is_ready_ ? 1 : 0);
    list.push_back(*channel);
  }
  into.add(kEnd);
}

std::uint64_t World::number_of(const Channel& channel) const noexcept {
  constexpr std::uint64_t kVisit = UINT64_MAX - 1;
  constexpr std::uint64_t kNotifier = UINT64_MAX - 2;
  constexpr std::uint64_t kWakeUp = UINT64_MAX - 3;
  if (&channel == &drain_visit_) {
    return kVisit;
  }
  if (&channel == &loop_.wake_up_channel_) {
    return kWakeUp;
  }
  return &channel == &on_drain_ ? kNotifier : static_cast<const Connection&>(channel).table_index();
}

}  // namespace echod::test
