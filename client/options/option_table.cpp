#include "client/options/option_table.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <utility>

#include "client/options/option_values.hpp"
#include "client/sys/datagram_socket.hpp"
#include "client/text/moments.hpp"
#include "client/text/units.hpp"

namespace echod::client {

namespace {

// The set_ and add_ functions parse `value`, store the result and return false if `value` is
// invalid. The options are not used after that.

// A whole number from `least` to `most`.
template <typename Number>
bool set_count(Number& into, std::string_view value, std::uint64_t least, std::uint64_t most) {
  const auto count = parse_count(value);
  if (!count || *count < least || *count > most) {
    return false;
  }
  into = static_cast<Number>(*count);
  return true;
}

template <typename Number>
bool set_count(std::optional<Number>& into, std::string_view value, std::uint64_t least,
               std::uint64_t most) {
  return set_count(into.emplace(), value, least, most);
}

bool set_duration(std::chrono::nanoseconds& into, std::string_view value,
                  std::chrono::nanoseconds least) {
  const auto duration = parse_duration(value);
  if (!duration || *duration < least || *duration > kLongestTime) {
    return false;
  }
  into = *duration;
  return true;
}

bool set_duration(std::optional<std::chrono::nanoseconds>& into, std::string_view value,
                  std::chrono::nanoseconds least) {
  return set_duration(into.emplace(), value, least);
}

constexpr std::uint64_t kMostConnections = 10'000'000;
constexpr std::uint64_t kMostBytes = 64 << 20;
constexpr std::uint64_t kMostDepth = 65536;
constexpr std::uint64_t kMostThreads = 256;
constexpr std::chrono::milliseconds kShortestInterval{10};

bool set_sizes(Options& options, std::string_view value) {
  const auto range = parse_bytes_range(value);
  if (!range || range->first < 1 || range->second > kMostBytes) {
    return false;
  }
  options.given.sizes = {.smallest = static_cast<std::uint32_t>(range->first),
                         .largest = static_cast<std::uint32_t>(range->second)};
  return true;
}

bool set_mode(Options& options, std::string_view value) {
  const auto mode = mode_named(value);
  options.plan.mode = mode.value_or(options.plan.mode);
  return mode.has_value();
}

bool set_arrivals(Options& options, std::string_view value) {
  const Arrivals arrivals = value == "poisson" ? Arrivals::poisson : Arrivals::constant;
  options.given.arrivals = arrivals;
  return value == name_of(arrivals);
}

bool set_rate(std::optional<double>& into, std::string_view value) {
  into = parse_rate(value);
  return into.has_value();
}

// A moment, or "+" and the time until then.
bool set_moment(std::optional<Moment>& into, std::string_view value) {
  const Moment now = std::chrono::system_clock::now();
  const auto wait = value.starts_with('+') ? parse_duration(value.substr(1)) : std::nullopt;
  into = wait ? std::optional(now + *wait) : parse_moment(value);
  return into && *into <= now + kLongestTime;
}

bool set_rate_or_steps(Options& options, std::string_view value) {
  LoadPlan& plan = options.plan;
  plan.steps = {};
  if (value.find(':') == std::string_view::npos) {
    return set_rate(plan.rate_per_s, value);
  }
  const auto steps = parse_steps(value);
  plan.steps = steps.value_or(RateSteps());
  plan.rate_per_s = steps ? steps->rates_per_s.front() : 0;
  return steps.has_value();
}

bool add_source(Options& options, std::string_view value) {
  const auto address = SocketAddress::parse(value, 0);
  if (address) {
    options.plan.sources.push_back(*address);
  }
  return address.has_value();
}

bool add_limit(Options& options, std::string_view value) {
  const auto limit = parse_limit(value);
  if (limit) {
    options.limits.push_back(*limit);
  }
  return limit.has_value();
}

bool set_pid(Options& options, std::string_view value) {
  constexpr std::uint64_t kMostPid = 1 << 22;
  return set_count(options.plan.server_pid, value, 1, kMostPid);
}

bool set_file(std::optional<std::string>& into, std::string_view value) {
  into = value;
  return !value.empty();
}

constexpr std::array kOptions{
    Option{"connections", "N", OptionScope::run_and_check, "1 to 10000000",
           [](Options& options, std::string_view value) {
             return set_count(options.given.connections, value, 1, kMostConnections);
           },
           "run: number of connections (64); check: number in the\n"
           "check \"in parallel\" (40)"},
    Option{"timeout", "TIME", OptionScope::run_and_check, "a time of at least 1ms, such as 5s",
           [](Options& options, std::string_view value) {
             return set_duration(options.plan.timeout, value, kShortestTime);
           },
           "how long to wait for a connection or for bytes that are\n"
           "owed (5s)"},
    Option{"seed", "N", OptionScope::run_and_check, "0 to 4294967295",
           [](Options& options, std::string_view value) {
             return set_count(options.given.seed, value, 0, UINT32_MAX);
           },
           "send the same bytes as the run with this seed (a new\n"
           "seed for each run)"},
    Option{"mode", "MODE", OptionScope::run, "echo, connect or stream", &set_mode,
           "echo: exchange messages on connections that stay open\n"
           "(the default);\n"
           "connect: connect, send one message, half-close, read\n"
           "its echo and the end of file, and repeat;\n"
           "stream: send as many bytes as possible in both\n"
           "directions at once"},
    Option{"active", "N", OptionScope::run, "0 to 10000000",
           [](Options& options, std::string_view value) {
             return set_count(options.given.active, value, 0, kMostConnections);
           },
           "how many connections exchange messages (all); the\n"
           "others only stay open"},
    Option{"size", "BYTES", OptionScope::run, "1 to 64M bytes, or a range such as 64-4k",
           &set_sizes,
           "bytes in a message, or a range of them (64;\n"
           "stream: 64k)"},
    Option{"depth", "N", OptionScope::run, "1 to 65536",
           [](Options& options, std::string_view value) {
             return set_count(options.given.depth, value, 1, kMostDepth);
           },
           "maximum number of outstanding messages on a connection\n"
           "(1; stream: 16; with --burst, that many)"},
    Option{"burst", "N", OptionScope::run, "1 to 64",
           [](Options& options, std::string_view value) {
             return set_count(options.given.burst, value, 1,
                              sys::ClientDatagramSocket::kLongestTrain);
           },
           "UDP, closed loop: datagrams that a socket sends at\n"
           "once, as a train if the kernel can do that (1)"},
    Option{"rate", "N", OptionScope::run,
           "messages per second, such as 500 or 20k, or up to 100 steps, such as 1k:10k:1k@5s",
           &set_rate_or_steps,
           "open loop: total number of messages per second, due\n"
           "independent of the server; latency is measured from the\n"
           "time at which a message was due; 1k:10k:1k@5s: from\n"
           "1k to 10k in steps of 1k, for 5 s each"},
    Option{"arrivals", "MODEL", OptionScope::run, "constant or poisson", &set_arrivals,
           "constant: messages are due at equal distances (the\n"
           "default); poisson: the gaps are random, as if very many\n"
           "independent users sent them"},
    Option{"messages", "N", OptionScope::run, "1 or more",
           [](Options& options, std::string_view value) {
             return set_count(options.plan.messages, value, 1, UINT64_MAX);
           },
           "open loop: send at most this many messages in all;\n"
           "then all connections are idle until the time is over"},
    Option{"threads", "N", OptionScope::run, "1 to 256",
           [](Options& options, std::string_view value) {
             return set_count(options.plan.threads, value, 1, kMostThreads);
           },
           "number of threads that share the connections (1)"},
    Option{"start-at", "TIME", OptionScope::run,
           "a moment within a year, such as 2026-11-21T09:30:00Z, 1795253400 or +10s",
           [](Options& options, std::string_view value) {
             return set_moment(options.plan.start_at, value);
           },
           "start sending messages at this time, so that several\n"
           "machines start together: a date such as\n"
           "2026-11-21T09:30:00Z, seconds since the epoch, or +10s;\n"
           "the connections are opened before"},
    Option{"duration", "TIME", OptionScope::run, "a time of at least 1ms, such as 10s",
           [](Options& options, std::string_view value) {
             return set_duration(options.given.duration, value, kShortestTime);
           },
           "how long to measure (10s)"},
    Option{"warmup", "TIME", OptionScope::run, "a time, such as 1s or 0",
           [](Options& options, std::string_view value) {
             return set_duration(options.given.warmup, value, std::chrono::nanoseconds(0));
           },
           "how long to run before the measurement (1s; with\n"
           "--messages 0)"},
    Option{"connect-rate", "N", OptionScope::run, "connections per second, such as 1k",
           [](Options& options, std::string_view value) {
             return set_rate(options.plan.connect_rate_per_s, value);
           },
           "number of connections to open per second (by default\n"
           "each thread opens 128 at a time)"},
    Option{"ramp", "TIME", OptionScope::run, "a time of at least 1ms, such as 30s",
           [](Options& options, std::string_view value) {
             return set_duration(options.ramp, value, kShortestTime);
           },
           "the time in which to open all connections"},
    Option{"source", "ADDRESS", OptionScope::run, "an IP address of this host", &add_source,
           "connect from this address of the host; if given several\n"
           "times, the connections use the addresses in turn"},
    Option{"server-pid", "PID", OptionScope::run, "a process id", &set_pid,
           "report CPU time, memory and context switches of this\n"
           "process on the same host"},
    Option{"max-errors", "N", OptionScope::run, "a number of errors",
           [](Options& options, std::string_view value) {
             return set_count(options.max_errors, value, 0, UINT64_MAX);
           },
           "succeed with at most this many errors (0); wrong bytes,\n"
           "and bytes missing after our half-close, always fail"},
    Option{"slo", "LIMIT", OptionScope::run_and_merge,
           "a limit, such as p99=2ms, max=1s, rate>=9900, errors<=5 or loss=0.1%; a time must be "
           "more than 0",
           &add_limit,
           "fail if the result is outside this limit: p99=2ms,\n"
           "p99.9=10ms, max=1s, 'rate>=9900' (echoes per second),\n"
           "'errors<=5', loss=0.1% (lost datagrams); may be given\n"
           "several times"},
    Option{
        "json", "FILE", OptionScope::run_and_merge, "a file name",
        [](Options& options, std::string_view value) { return set_file(options.json_file, value); },
        "write the whole result to FILE; - is standard output\n"
        "and replaces the summary"},
    Option{"histogram", "FILE", OptionScope::run_and_merge, "a file name",
           [](Options& options, std::string_view value) {
             return set_file(options.histogram_file, value);
           },
           "write the latencies as an HdrHistogram percentile\n"
           "table; - is standard output and replaces the summary"},
    Option{
        "html", "FILE", OptionScope::run, "a file name",
        [](Options& options, std::string_view value) { return set_file(options.html_file, value); },
        "write a page with charts for a browser, a single file;\n"
        "- is standard output and replaces the summary"},
    Option{"interval", "TIME", OptionScope::run, "a time of at least 10ms, such as 1s",
           [](Options& options, std::string_view value) {
             return set_duration(options.given.interval, value, kShortestInterval);
           },
           "show the figures of each interval on standard error as\n"
           "it ends, and use intervals of this length in the\n"
           "results (1s; longer in a run of over an hour)"},
    Option{"interval-json", "FILE", OptionScope::run, "a file name",
           [](Options& options, std::string_view value) {
             return set_file(options.interval_file, value);
           },
           "write each interval to FILE as it ends, as a line of\n"
           "JSON; - is standard output and replaces the summary"},
    Option{"json", nullptr, OptionScope::check, "",
           [](Options& options, std::string_view /*value*/) { return options.wants_json = true; },
           "print the results as JSON instead of the table"},
    Option{"verbose", nullptr, OptionScope::check, "",
           [](Options& options, std::string_view /*value*/) { return options.is_verbose = true; },
           "show each connect, send and receive on standard error"},
};

std::string help_for(OptionScope scope) {
  constexpr std::size_t kColumn = 25;
  std::string text;
  for (const Option& option : kOptions) {
    if (option.scope != scope) {
      continue;
    }
    std::string line = std::string("  --") + option.name;
    if (option.value != nullptr) {
      line += std::string(" ") + option.value;
    }
    line.resize(std::max(line.size() + 1, kColumn), ' ');
    for (const char character : std::string_view(option.help)) {
      line += character;
      line.append(character == '\n' ? kColumn : 0, ' ');
    }
    text += line + '\n';
  }
  return text;
}

}  // namespace

std::span<const Option> all_options() noexcept {
  return kOptions;
}

std::string help() {
  return "echoload measures an echo service (RFC 862) under load, and checks every byte\n"
         "that comes back.\n\n"
         "Usage: echoload [run] [OPTION]... SERVER\n"
         "       echoload check [OPTION]... SERVER\n"
         "       echoload merge [OPTION]... FILE...\n\n"
         "run, the default, puts load on the server and reports rates and latencies;\n"
         "check runs a list of checks and says which the server passes. SERVER is\n"
         "HOST:PORT or tcp://HOST:PORT, where HOST is a name, an IPv4 address, or an IPv6\n"
         "address in brackets; udp://HOST:PORT; or unix:PATH, a UNIX stream socket. merge\n"
         "makes one report of runs on several machines, from the FILEs that --json wrote\n"
         "there.\n\n"
         "run and check:\n" +
         help_for(OptionScope::run_and_check) + "\nrun:\n" + help_for(OptionScope::run) +
         "\nrun and merge:\n" + help_for(OptionScope::run_and_merge) + "\ncheck:\n" +
         help_for(OptionScope::check) +
         "\nInformation:\n"
         "  --version              print the version and exit\n"
         "  --help                 print this text and exit\n\n"
         "Sizes take k and M (1024), other numbers k and M (1000), times s, ms, us and m.\n"
         "Ctrl-C ends a run; the results so far are reported.\n\n"
         "Exit codes:\n"
         "   0  success\n"
         "   1  wrong or missing bytes, a failed or skipped check, too many errors, lost\n"
         "      datagrams, nothing came back, or a missed --slo or --start-at\n"
         "   3  interrupted, and nothing was wrong until then\n"
         "  64  wrong command line, or a FILE of merge is not valid\n"
         "  69  no connection to the server\n"
         "  71  the operating system refused descriptors, memory, threads or a file\n\n"
         "See echoload(1).\n";
}

}  // namespace echod::client
