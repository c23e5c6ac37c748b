// What a connection and a loop keep to themselves, for fingerprints: two states may be taken for
// the same only if everything that decides what follows is the same. An explicit instantiation may
// name private members (C++20, [temp.spec.general]/6), so the classes need not know of it.
#pragma once

#include "connection.hpp"
#include "event_loop.hpp"

namespace echod::test {

struct StateOf {
  friend constexpr auto member([[maybe_unused]] StateOf which);
};
struct MustReadToEagainOf {
  friend constexpr auto member([[maybe_unused]] MustReadToEagainOf which);
};
struct BlockOf {
  friend constexpr auto member([[maybe_unused]] BlockOf which);
};
struct DrainAllowanceOf {
  friend constexpr auto member([[maybe_unused]] DrainAllowanceOf which);
};
struct ReadyListOf {
  friend constexpr auto member([[maybe_unused]] ReadyListOf which);
};

template <typename Tag, auto kMember>
struct Reveal {
  friend constexpr auto member(Tag /*which*/) { return kMember; }
};
template struct Reveal<StateOf, &Connection::state_>;
template struct Reveal<MustReadToEagainOf, &Connection::must_read_to_eagain_>;
template struct Reveal<BlockOf, &Connection::block_>;
template struct Reveal<DrainAllowanceOf, &Connection::drain_allowance_>;
template struct Reveal<ReadyListOf, &EventLoop::ready_>;

}  // namespace echod::test
