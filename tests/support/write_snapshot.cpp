// write_snapshot metrics|status|page [--listeners N] [--workers N] [--paused] [idle|busy|hostile]
// Prints what echod would show of a snapshot that is made up: for tests with other programs, such
// as a browser and promtool, of cases that a real echod is seldom in.
#include <array>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

#include "admin/metrics.hpp"
#include "admin/status_json.hpp"
#include "admin/status_page.hpp"
#include "filled_snapshot.hpp"

namespace echod::test {
namespace {

struct Wanted {
  std::string what;
  std::string kind = "busy";
  std::size_t listeners = 1;
  std::size_t workers = 2;
  bool is_paused = false;
};

Wanted parsed(int argc, char** argv) {
  Wanted wanted;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const auto number = [&] { return ++i < argc ? std::strtoul(argv[i], nullptr, 10) : 0UL; };
    if (word == "--listeners") {
      wanted.listeners = number();
    } else if (word == "--workers") {
      wanted.workers = number();
    } else if (word == "--paused") {
      wanted.is_paused = true;
    } else {
      (wanted.what.empty() ? wanted.what : wanted.kind) = word;
    }
  }
  return wanted;
}

// What was counted up to a moment of the last ten minutes, which is a wave.
void set_moment(Snapshot& snapshot, double age_s, double end) {
  constexpr double kWave = 40;
  constexpr std::array kShares{3, 15, 90, 300, 420, 250, 80, 22, 8, 3, 1};
  const double passed = 100'000 - age_s;
  const double wave = std::sin(age_s / kWave);
  snapshot.now = end - age_s;
  snapshot.process.cpu_user_s = passed / 8;
  for (std::size_t i = 0; i < snapshot.workers.size(); ++i) {
    WorkerSnapshot& worker = snapshot.workers[i];
    for (std::uint64_t& connections : worker.connections) {
      connections = static_cast<std::uint64_t>(900 + 300 * wave) + i * 7;
    }
    worker.turns = static_cast<std::uint64_t>(passed * 8000);
    const auto accepted = static_cast<std::uint64_t>(passed * 12 + 150 * std::cos(age_s / kWave));
    const auto set = [&worker](Counter counter, double value) {
      worker.counters[static_cast<std::size_t>(counter)] = static_cast<std::uint64_t>(value);
    };
    worker.counters = {};
    set(Counter::accepted, static_cast<double>(accepted));
    set(Counter::echoes, passed * 7800);
    set(Counter::bytes_received, passed * 2.5e6);
    set(Counter::bytes_sent, passed * 2.5e6);
    set(Counter::flips_to_write, passed / 3);
    set(Counter::turns_over_budget, passed * 2);
    set(counter_of(CloseReason::peer_closed), passed * 11 + 130 * std::cos(age_s / kWave));
    set(counter_of(CloseReason::reset), passed / 4);
    set(counter_of(CloseReason::idle_timeout), passed / 50);
    for (std::size_t range = 0; range < kShares.size(); ++range) {
      worker.server_delay.counts[range + 1] =
          static_cast<std::uint64_t>(passed * kShares[range] / 10);
    }
  }
}

void make_hostile(Snapshot& snapshot) {
  using namespace std::string_literals;
  const std::string hostile =
      "</pre></style></title><script>alert(1)</script>'\" onload=x &amp; \xFF\xC3\r\n\0\x1B[2J\u2028"s +
      std::string(300, 'w');
  snapshot.version = hostile;
  snapshot.not_ready_because = hostile;
  snapshot.unhealthy_because = hostile;
  snapshot.service.config_name = hostile;
  snapshot.service.config_text = hostile;
  snapshot.service.reload_error = hostile;
  snapshot.log = {.file_level = hostile,
                  .stderr_level = hostile,
                  .lines_dropped = 1,
                  .write_failures = 1,
                  .trouble = {hostile, " - ERROR - " + hostile}};
  for (std::size_t i = 0; i < snapshot.listeners.size(); ++i) {
    snapshot.listeners[i].address = hostile + std::to_string(i);
  }
}

int write(const Wanted& wanted) {
  Snapshot snapshot =
      filled_snapshot(wanted.listeners, wanted.workers, wanted.listeners > 0 ? 1 : 0);
  const double end = snapshot.now;
  snapshot.service.max_connections = 2000 * wanted.listeners * wanted.workers;
  ConnectionHistory history;
  if (wanted.kind != "idle") {
    for (int age_s = 600; age_s >= 0; age_s -= 2) {
      set_moment(snapshot, age_s, end);
      history.add(snapshot);
    }
  }
  if (wanted.kind == "hostile") {
    make_hostile(snapshot);
  }
  if (wanted.what == "metrics") {
    std::cout << metrics_text(snapshot, HttpCounters{});
  } else if (wanted.what == "status") {
    std::cout << status_json(snapshot);
  } else if (wanted.what == "page") {
    std::cout << status_page(snapshot, history,
                             wanted.is_paused ? PageRefresh::never : PageRefresh::every_5_s);
  } else {
    std::cerr << "write_snapshot: say metrics, status or page\n";
    return 64;
  }
  return 0;
}

}  // namespace
}  // namespace echod::test

int main(int argc, char** argv) {
  return echod::test::write(echod::test::parsed(argc, argv));
}
