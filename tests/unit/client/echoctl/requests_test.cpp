#include "client/echoctl/requests.hpp"

#include <gtest/gtest.h>

#include <string>

namespace echod::ctl {
namespace {

std::string request_text(const Options& options) {
  const Request request = request_for(options);
  return std::string(request.method) + ' ' + request.target;
}

TEST(RequestsTest, EveryCommandHasItsRequest) {
  EXPECT_EQ(request_text({.command = Command::status}), "GET /status");
  EXPECT_EQ(request_text({.command = Command::top}), "GET /status");
  EXPECT_EQ(request_text({.command = Command::metrics}), "GET /metrics");
  EXPECT_EQ(request_text({.command = Command::health}), "GET /healthz");
  EXPECT_EQ(request_text({.command = Command::ready}), "GET /readyz");
  EXPECT_EQ(request_text({.command = Command::drain}), "POST /drain");
  EXPECT_EQ(request_text({.command = Command::upgrade}), "POST /upgrade");
  EXPECT_EQ(request_text({.command = Command::upgrade, .is_forced = true}),
            "POST /upgrade?force=true");
}

TEST(RequestsTest, ConnectionsAreListedAsTheOptionsSay) {
  Options options{.command = Command::connections};
  EXPECT_EQ(request_text(options), "GET /connections");
  options.limit = 7;
  EXPECT_EQ(request_text(options), "GET /connections?limit=7");
  options.network = "2001:db8::/32";
  options.state = "flushing";
  options.worker = 0;
  options.sort = "bytes";
  options.offset = 1000;
  EXPECT_EQ(request_text(options),
            "GET /connections?network=2001%3Adb8%3A%3A%2F32&state=flushing&worker=0&sort=bytes&"
            "limit=7&offset=1000");
}

TEST(RequestsTest, AConnectionOrANetworkIsClosed) {
  EXPECT_EQ(request_text({.command = Command::close, .connection_id = "0-17-3fa"}),
            "DELETE /connections/0-17-3fa");
  EXPECT_EQ(request_text({.command = Command::close, .connection_id = "../drain ?x"}),
            "DELETE /connections/..%2Fdrain%20%3Fx");
  EXPECT_EQ(request_text({.command = Command::close, .network = "192.0.2.0/24"}),
            "DELETE /connections?network=192.0.2.0%2F24");
}

TEST(RequestsTest, ALevelIsForTheFileUnlessStandardErrorIsGiven) {
  Options options{.command = Command::log_level};
  EXPECT_EQ(request_text(options), "GET /status");
  options.level = "info";
  EXPECT_EQ(request_text(options), "POST /log-level?file=info");
  options.is_for_stderr = true;
  EXPECT_EQ(request_text(options), "POST /log-level?stderr=info");
  options.is_for_file = true;
  EXPECT_EQ(request_text(options), "POST /log-level?file=info&stderr=info");
}

}  // namespace
}  // namespace echod::ctl
