// spread [ROUNDS [CONNECTIONS [SEED]]]
// Compares ways to spread connections over workers, and prints the tables of docs/spreading.md. All
// of them are measured in each round, in turns, because absolute times vary.
#include <sched.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "client.hpp"
#include "server.hpp"

namespace {

using spread::Mechanism;
using spread::Server;
using spread::Trouble;

constexpr std::size_t kFew = 64;
constexpr std::chrono::milliseconds kWarmUp{200};
constexpr std::chrono::milliseconds kChurn{1500};
constexpr std::chrono::milliseconds kDripInterval{2};
constexpr std::size_t kDripsWhenBusy = 900;  // 1.8 s, 30 periods of the busy worker.
// Each client must have a second before the worker continues, so none starts in the last second.
constexpr std::size_t kDripsWhenStuck = (spread::kStuck - std::chrono::seconds(1)) / kDripInterval;

struct Option {
  const char* name;
  Mechanism mechanism;
};

constexpr std::array kOptions{
    Option{"shared", Mechanism::shared},
    Option{"shared, exclusive", Mechanism::exclusive},
    Option{"`SO_REUSEPORT`", Mechanism::reuseport},
    Option{"acceptor", Mechanism::acceptor},
    Option{"hand-over", Mechanism::handover},
    Option{"hand-over, passing over", Mechanism::passing_over},
    Option{"one queue", Mechanism::one_queue},
    Option{"one queue, rotating", Mechanism::rotating},
};

constexpr std::array<std::size_t, 2> kWorkers{2, 8};

struct Figure {
  std::string heading;
  int decimals;
};

struct Table {
  std::string title;
  std::vector<Figure> figures;
};

// The measured values of a mechanism with a number of workers: for each figure of a table, one
// value for each round.
using Values = std::vector<std::vector<double>>;

void close_half(std::vector<int>& connections, std::mt19937& random) {
  std::shuffle(connections.begin(), connections.end(), random);
  std::vector<int> leaving(
      connections.begin() + static_cast<std::ptrdiff_t>(connections.size() / 2), connections.end());
  connections.resize(connections.size() - leaving.size());
  spread::reset_all(leaving);
}

std::vector<double> measure_skew(Mechanism mechanism, std::size_t workers, std::size_t count,
                                 std::mt19937& random) {
  const Server server(mechanism, workers);
  std::vector<double> result;
  const auto settle = [&](std::size_t connections) {
    server.await(connections);
    result.push_back(server.skew());
  };
  std::vector<int> connections = spread::connect_one_by_one(server.port(), kFew);
  settle(kFew);
  const std::vector<int> more = spread::connect_one_by_one(server.port(), count - kFew);
  connections.insert(connections.end(), more.begin(), more.end());
  settle(count);
  spread::reset_all(connections);
  server.await(0);

  connections = spread::connect_in_a_burst(server.port(), count);
  settle(count);
  close_half(connections, random);
  server.await(connections.size());
  std::vector<int> again = spread::connect_in_a_burst(server.port(), count - connections.size());
  settle(count);
  spread::reset_all(connections);
  spread::reset_all(again);
  server.await(0);
  return result;
}

std::vector<double> measure_cost(Mechanism mechanism, std::size_t workers) {
  const Server server(mechanism, workers);
  spread::churn(server.port(), kWarmUp);
  const double cpu_before_us = server.cpu_us();
  const auto done = static_cast<double>(spread::churn(server.port(), kChurn));
  const double cpu_us = server.cpu_us() - cpu_before_us;
  server.await(0);
  return {done / std::chrono::duration<double>(kChurn).count(), cpu_us / done};
}

double percentile(std::vector<double>& values, double fraction) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(fraction * static_cast<double>(values.size() - 1))];
}

std::vector<double> measure_busy(Mechanism mechanism, std::size_t workers) {
  const Server server(mechanism, workers, Trouble::busy);
  std::vector<double> ms = spread::drip(server.port(), kDripsWhenBusy, kDripInterval);
  server.await(0);
  return {percentile(ms, 0.5), percentile(ms, 0.99), percentile(ms, 1)};
}

std::vector<double> measure_stuck(Mechanism mechanism, std::size_t workers) {
  const Server server(mechanism, workers, Trouble::stuck);
  std::vector<double> ms = spread::drip(server.port(), kDripsWhenStuck, kDripInterval);
  server.await(0);
  const auto unserved =
      std::count_if(ms.begin(), ms.end(), [](double value) { return value > 1e3; });
  return {percentile(ms, 0.5), percentile(ms, 0.99), percentile(ms, 1),
          static_cast<double>(unserved)};
}

// Raises the soft limit of descriptors to the hard limit, and returns it. Client and server can
// each use as many: the server has its own descriptor table.
std::size_t raise_open_files() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    spread::fail("getrlimit");
  }
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    spread::fail("setrlimit");
  }
  return limit.rlim_cur;
}

// The CPU time of this machine (the first line of /proc/stat) and of this process.
struct CpuUse {
  double all_ticks = 0;  // Including idle time.
  double busy_ticks = 0;
  double own_s = 0;

  static CpuUse now() {
    CpuUse use;
    std::ifstream stat("/proc/stat");
    std::string word;
    stat >> word;
    for (int column = 0; column < 8; ++column) {  // Later columns are included in these.
      double ticks = 0;
      stat >> ticks;
      const bool is_idle = column == 3 || column == 4;  // Idle, waiting for I/O.
      use.all_ticks += ticks;
      use.busy_ticks += is_idle ? 0 : ticks;
    }
    rusage own{};
    (void)getrusage(RUSAGE_SELF, &own);
    use.own_s = static_cast<double>(own.ru_utime.tv_sec + own.ru_stime.tv_sec) +
                static_cast<double>(own.ru_utime.tv_usec + own.ru_stime.tv_usec) / 1e6;
    return use;
  }
};

// Returns the share of the machine's CPU time that other processes had since `before`.
double share_of_others(const CpuUse& before) {
  const CpuUse after = CpuUse::now();
  const double ticks_per_s = 100;  // USER_HZ.
  const double others =
      after.busy_ticks - before.busy_ticks - (after.own_s - before.own_s) * ticks_per_s;
  return std::max(0.0, others / (after.all_ticks - before.all_ticks));
}

std::string cell(std::vector<double> values, int decimals) {
  std::array<char, 64> text{};
  std::sort(values.begin(), values.end());
  std::snprintf(text.data(), text.size(), "%.*f (%.*f–%.*f)", decimals, percentile(values, 0.5),
                decimals, values.front(), decimals, values.back());
  return text.data();
}

void print_table(const Table& table, const std::vector<Values>& rows) {
  std::string headings = "| mechanism | workers |";
  std::string rule = "|---|---|";
  for (const Figure& figure : table.figures) {
    headings += " " + figure.heading + " |";
    rule += "---|";
  }
  std::printf("\n**%s**\n\n%s\n%s\n", table.title.c_str(), headings.c_str(), rule.c_str());
  for (std::size_t row = 0; row < rows.size(); ++row) {
    std::printf("| %s | %zu |", kOptions[row % kOptions.size()].name,
                kWorkers[row / kOptions.size()]);
    for (std::size_t i = 0; i < table.figures.size(); ++i) {
      std::printf(" %s |", cell(rows[row][i], table.figures[i].decimals).c_str());
    }
    std::printf("\n");
  }
}

unsigned long argument(int argc, char** argv, int index, unsigned long otherwise) {
  return index < argc ? std::strtoul(argv[index], nullptr, 10) : otherwise;
}

void print_environment(std::size_t rounds, unsigned long seed) {
  utsname system{};
  cpu_set_t cpus;
  std::array<double, 1> load{};
  std::string somaxconn;
  std::ifstream("/proc/sys/net/core/somaxconn") >> somaxconn;
  if (uname(&system) != 0 || sched_getaffinity(0, sizeof cpus, &cpus) != 0) {
    spread::fail("uname or sched_getaffinity");
  }
  (void)getloadavg(load.data(), 1);
  std::printf("Linux %s, %d CPUs, somaxconn %s, load average before %.2f; %zu rounds, seed %lu.\n",
              system.release, CPU_COUNT(&cpus), somaxconn.c_str(), load[0], rounds, seed);
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t open_files = raise_open_files();
  const std::size_t rounds = std::max(argument(argc, argv, 1, 3), 1UL);
  const std::size_t count = std::clamp(argument(argc, argv, 2, 10'000), 2 * kFew, open_files - 100);
  const unsigned long seed = argument(argc, argv, 3, std::random_device{}());
  std::mt19937 random(static_cast<std::mt19937::result_type>(seed));

  const std::string many = std::to_string(count);
  const std::vector<Table> tables{
      {"Fullest worker / mean",
       {{std::to_string(kFew) + ", one by one", 2},
        {many + ", one by one", 2},
        {many + " in a burst", 2},
        {"half of them again", 2}}},
      {"Connect, echo, close, 32 clients", {{"per second", 0}, {"server CPU, us each", 1}}},
      {"One worker busy, connect to echo, ms", {{"median", 2}, {"p99", 1}, {"maximum", 1}}},
      {"One worker stuck, connect to echo, ms",
       {{"median", 2},
        {"p99", 0},
        {"maximum", 0},
        {"of " + std::to_string(kDripsWhenStuck) + " not served within 1 s", 0}}},
  };
  std::vector<std::vector<Values>> results;
  for (const Table& table : tables) {
    results.emplace_back(kWorkers.size() * kOptions.size(), Values(table.figures.size()));
  }

  print_environment(rounds, seed);
  const CpuUse before = CpuUse::now();
  for (std::size_t round = 0; round < rounds; ++round) {
    std::size_t row = 0;
    for (const std::size_t workers : kWorkers) {
      for (const Option& option : kOptions) {
        const std::array measured{measure_skew(option.mechanism, workers, count, random),
                                  measure_cost(option.mechanism, workers),
                                  measure_busy(option.mechanism, workers),
                                  measure_stuck(option.mechanism, workers)};
        for (std::size_t table = 0; table < measured.size(); ++table) {
          for (std::size_t i = 0; i < measured[table].size(); ++i) {
            results[table][row][i].push_back(measured[table][i]);
          }
        }
        ++row;
      }
    }
    std::fprintf(stderr, "round %zu of %zu\n", round + 1, rounds);
  }
  std::printf("Other processes had %.1f %% of the CPU time meanwhile.\n",
              100 * share_of_others(before));
  for (std::size_t table = 0; table < tables.size(); ++table) {
    print_table(tables[table], results[table]);
  }
}
