// Fuzzes the connections of one worker on a simulated kernel, which checks the rules of an echo
// with each call. The input decides the settings, then what happens (simulated/happenings.hpp), so
// that the fuzzer searches for what the property test draws at random.
#include <array>
#include <cerrno>
#include <vector>

#include "fuzz_target.hpp"
#include "happenings.hpp"

namespace echod::test {
namespace {

// Returns 1 to `most`.
std::uint32_t some_of(FuzzInput& input, std::uint32_t most) {
  return 1 + input.byte() % most;
}

template <typename T, std::size_t kSize>
T one_of(FuzzInput& input, const std::array<T, kSize>& values) {
  return values.at(input.byte() % kSize);
}

WorldSettings settings_from(FuzzInput& input) {
  WorldSettings settings;
  settings.connections = some_of(input, 3);
  settings.socket = {.receive_bytes = some_of(input, 8),
                     .send_bytes = some_of(input, 8),
                     .pipe_slots = some_of(input, 4)};
  settings.block_bytes = some_of(input, 8);
  settings.blocks = some_of(input, 3) - 1;
  settings.turn_bytes = some_of(input, 8);
  settings.turn_reads = some_of(input, 3);
  settings.pipes = some_of(input, 3) - 1;
  const std::uint8_t flags = input.byte();
  settings.has_timeouts = (flags & 1U) == 0;
  settings.socket.is_local = (flags & 2U) != 0;
  settings.socket.full_pipes = 3U - ((flags >> 2U) & 3U);
  settings.socket.most_pipes = 3U - ((flags >> 4U) & 3U);
  return settings;
}

// Chooses an error that the call can really fail with.
int error_of(Call call, FuzzInput& input) {
  if (call == Call::add || call == Call::modify) {
    return one_of(input, std::array{ENOMEM, ENOSPC});
  }
  if (call == Call::shutdown) {
    return ENOTCONN;
  }
  const int error = one_of(input, std::array{EINTR, ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENOMEM,
                                             ENOTCONN, EPIPE, EINVAL});
  return error == EINVAL && call != Call::splice_in ? EINTR : error;
}

Happening happening_from(FuzzInput& input) {
  using Kind = Happening::Kind;
  Happening happening;
  happening.kind = one_of(
      input, std::array{Kind::act, Kind::act, Kind::act, Kind::close, Kind::time, Kind::failure,
                        Kind::short_write, Kind::drain, Kind::abort, Kind::other_blocks});
  happening.pause = input.byte() % 12;
  happening.connection = input.byte();
  happening.times = some_of(input, 8);
  if (happening.kind == Kind::act) {
    happening.act = one_of(input, std::array{Act::send, Act::take, Act::send_urgent, Act::finish,
                                             Act::reset, Act::send, Act::take});
  } else if (happening.kind == Kind::short_write) {
    happening.call = one_of(input, std::array{Call::send, Call::splice_out});
  } else if (happening.kind == Kind::failure) {
    happening.call =
        one_of(input, std::array{Call::recv, Call::send, Call::splice_in, Call::splice_out,
                                 Call::shutdown, Call::add, Call::modify});
    happening.error = error_of(happening.call, input);
  }
  return happening;
}

void run(FuzzInput input) {
  const WorldSettings settings = settings_from(input);
  std::vector<Happening> happenings;
  while (!input.is_empty()) {
    happenings.push_back(happening_from(input));
  }
  if (!play(settings, happenings, false).empty()) {
    require(false, "an echo gives what it owes and keeps nothing",
            play(settings, happenings, true));
  }
}

}  // namespace
}  // namespace echod::test

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  echod::test::run({data, size});
  return 0;
}
