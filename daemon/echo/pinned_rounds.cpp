#include "echo/pinned_rounds.hpp"

#include <algorithm>

#include "sys/stream_socket.hpp"

namespace echod {

bool PinnedRounds::add(int socket, std::uint8_t& rounds) noexcept {
  if (add_within_limits(rounds)) {
    return true;
  }
  if (rounds == 0) {
    return false;
  }
  recount(socket, 0, rounds);
  return add_within_limits(rounds);
}

bool PinnedRounds::add_within_limits(std::uint8_t& rounds) noexcept {
  if (rounds >= settings_.most_rounds) {
    return false;
  }
  if (sum_.fetch_add(1, std::memory_order_relaxed) >= settings_.most_rounds_in_all) {
    sum_.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  ++own_;
  ++rounds;
  return true;
}

void PinnedRounds::recount(int socket, std::size_t held, std::uint8_t& rounds) noexcept {
  set(rounds, std::min<std::size_t>(rounds, most_of(socket, held)));
}

void PinnedRounds::restore(int socket, std::size_t held, std::uint8_t& rounds) noexcept {
  set(rounds, std::min<std::size_t>(settings_.most_rounds, most_of(socket, held)));
}

std::size_t PinnedRounds::most_of(int socket, std::size_t held) const noexcept {
  const std::size_t bytes = sys::unacknowledged_bytes(socket).count() + held;
  const std::size_t least = settings_.least_bytes;
  // NOLINTNEXTLINE(clang-analyzer-core.DivideZero): least_bytes is never 0.
  return bytes == 0 ? 0 : (bytes + least - 1) / least + 1;
}

void PinnedRounds::set(std::uint8_t& rounds, std::size_t value) noexcept {
  sum_.fetch_add(value - rounds, std::memory_order_relaxed);  // Modulo, if it is less.
  own_ = own_ - rounds + value;
  rounds = static_cast<std::uint8_t>(value);
}

}  // namespace echod
