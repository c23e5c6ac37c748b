// Fuzzes the command line of echoload and the address of the server. The words are either refused
// with a one-line error, or make a plan that is valid for a run.
#include "client/options/command_line.hpp"
#include "fuzz_target.hpp"

namespace echod::test {
namespace {

using client::LoadPlan;
using client::Options;

void require_final(const client::ParsedCommandLine& parsed) {
  constexpr int kUsage = 64;
  if (parsed.exit_code == kUsage) {
    require_usage_error(parsed.text, "echoload");
    return;
  }
  require(parsed.exit_code == 0, "the exit code is 0 or 64");
  require(parsed.text.starts_with("echoload ") && parsed.text.ends_with('\n'),
          "help and version name the program", parsed.text);
}

void require_plan(const Options& options) {
  const LoadPlan& plan = options.plan;
  require(plan.connections >= 1 && plan.active <= plan.connections, "some connections are active");
  require(plan.threads >= 1 && plan.threads <= plan.connections, "each thread has a connection");
  require(plan.sizes.smallest >= 1 && plan.sizes.smallest <= plan.sizes.largest,
          "a message has a size");
  require(plan.depth >= 1, "a message may be outstanding");
  require(plan.timeout.count() > 0 && plan.duration.count() > 0 && plan.warmup.count() >= 0,
          "times are not negative");
  require(!plan.rate_per_s || (*plan.rate_per_s > 0 && plan.active > 0), "an open loop sends");
  require(!plan.connect_rate_per_s || *plan.connect_rate_per_s > 0, "connections are made");
  for (const client::Limit& limit : options.limits) {
    if (limit.kind == client::Limit::Kind::latency) {
      require(limit.percent > 0 && limit.percent <= 100 && limit.most.count() >= 0,
              "a limit is of a percentile", limit.text);
    }
  }
}

// Of a run on UDP.
void require_datagrams(const Options& options) {
  constexpr std::uint64_t kMostBytes = 65507;
  const LoadPlan& plan = options.plan;
  require(plan.sizes.smallest >= 16 && plan.sizes.largest <= kMostBytes,
          "a datagram has room for its number, and can be sent");
  require(plan.burst >= 1 && plan.burst <= plan.depth, "a burst may be outstanding");
  require(std::uint64_t{plan.burst} * plan.sizes.largest <= kMostBytes, "a burst can be sent");
  require(plan.mode == client::LoadMode::echo, "datagrams have no connections");
}

// An address that echod or echoload prints must be accepted by echoload.
void require_server(const Options& options) {
  if (options.transport == client::Transport::local) {
    require(!options.path.empty() && options.host.empty(), "a UNIX socket has a path",
            options.target);
    return;
  }
  require(options.port != 0 && !options.host.empty(), "a server has host and port", options.target);
  const auto address = SocketAddress::parse(options.host, options.port);
  if (!address) {
    return;  // A name.
  }
  const std::string text = address->text();
  const FuzzArguments arguments("echoload",
                                {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  const auto again = client::parse_command_line(arguments.count(), arguments.pointers());
  require(!again.is_final, "a printed address is accepted", text);
  require(SocketAddress::parse(again.options.host, again.options.port) == address,
          "a printed address is parsed as the same address", text);
}

}  // namespace
}  // namespace echod::test

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace echod;
  const test::FuzzArguments arguments("echoload", {data, size});
  const auto parsed = client::parse_command_line(arguments.count(), arguments.pointers());
  if (parsed.is_final) {
    test::require_final(parsed);
  } else {
    test::require_plan(parsed.options);
    if (parsed.options.command == client::Command::run &&
        parsed.options.transport == client::Transport::udp) {
      test::require_datagrams(parsed.options);
    }
    if (parsed.options.command != client::Command::merge) {
      test::require_server(parsed.options);
    }
  }
  return 0;
}
