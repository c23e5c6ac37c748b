// `echoctl top` in a real terminal, which it must leave as it found it, and without one.
#include <csignal>
#include <memory>

#include "background.hpp"
#include "daemon_test.hpp"
#include "terminal_session.hpp"
#include "text_match.hpp"

namespace echod::test {
namespace {

const std::string kEnterSequence = "\x1b[?1049h";
const std::string kLeaveSequence = "\x1b[?1049l";
const std::string kHomeSequence = "\x1b[H";
const std::string kClearSequence = "\x1b[J";

bool has_part(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// The last complete picture, without the sequences that clear the rest of the screen.
std::string last_picture(const std::string& output) {
  const std::size_t end = output.rfind(kClearSequence);
  const std::size_t begin = output.rfind(kHomeSequence, end);
  if (end == std::string::npos || begin == std::string::npos) {
    return "";
  }
  std::string picture =
      output.substr(begin + kHomeSequence.size(), end - begin - kHomeSequence.size());
  for (const std::string sequence :
       {"\x1b[K", "\x1b[0m", "\x1b[1m", "\x1b[32m", "\x1b[1;31m", "\r"}) {
    for (std::size_t at = 0; (at = picture.find(sequence, at)) != std::string::npos;) {
      picture.erase(at, sequence.size());
    }
  }
  return picture;
}

class EchoctlTopTest : public DaemonTest {
 protected:
  EchoctlTopTest() { start_with_socket(); }

  void start_with_socket() {
    start("workers = 2\n[admin]\nsocket = \"" + directory_.file("admin.sock") + "\"\n");
  }
  [[nodiscard]] std::vector<std::string> words(const std::vector<std::string>& arguments) const {
    std::vector<std::string> all{ECHOCTL_BINARY, "--socket", directory_.file("admin.sock"), "top"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return all;
  }
  // One that shows a picture and then none for a day.
  [[nodiscard]] std::unique_ptr<TerminalSession> one_picture() const {
    auto top = std::make_unique<TerminalSession>(words({"--interval", "1440m"}));
    wait_for_picture(*top, "\nBUSIEST");
    return top;
  }
  [[nodiscard]] std::unique_ptr<TerminalSession> pictures() const {
    return std::make_unique<TerminalSession>(words({"--interval", "100ms"}));
  }
  static void wait_for_picture(TerminalSession& top, const std::string& part) {
    top.wait_for(part,
                 [&](const std::string& output) { return has_part(last_picture(output), part); });
  }
  static void expect_restored(TerminalSession& top) {
    EXPECT_TRUE(top.output().ends_with(kLeaveSequence)) << top.output();
    EXPECT_TRUE(has_part(top.output(), "\x1b[?25h")) << "the cursor is hidden";
    EXPECT_TRUE(has_part(top.output(), "\x1b[?7h")) << "lines do not wrap";
    EXPECT_TRUE(top.has_modes_of_the_start());
  }

 private:
  TemporaryDirectory directory_;
};

TEST_F(EchoctlTopTest, ShowsWhatHappensUntilQIsTyped) {
  const auto top = pictures();
  wait_for_picture(*top, "\nper second   accepted 0   echoes 0   in 0 B/s   out 0 B/s\n");
  EXPECT_TRUE(top->output().starts_with(kEnterSequence));
  EXPECT_FALSE(top->has_modes_of_the_start());
  TcpPeer peer = connect();
  const std::string bytes(1000, 'x');
  top->wait_for("rates", [&](const std::string& output) {
    EXPECT_TRUE(peer.echoes(bytes));
    return matches(last_picture(output), "echoes [1-9][0-9. ]* +in [0-9.]+ [KM]iB/s");
  });
  wait_for_picture(*top, "\nconnections  1 of ");
  wait_for_picture(*top, '\n' + peer.name() + ' ');
  wait_for_picture(*top, "\n127.0.0.1:" + std::to_string(daemon().port()) + ' ');
  top->type("q");
  EXPECT_EQ(top->wait(), 0);
  expect_restored(*top);
}

TEST_F(EchoctlTopTest, CtrlCAndSignalsRestoreTheTerminal) {
  {
    const auto top = one_picture();
    top->type("\x03");
    EXPECT_EQ(top->wait(), 0);
    expect_restored(*top);
  }
  for (const int number : {SIGTERM, SIGHUP, SIGQUIT}) {
    const auto top = one_picture();
    top->signal(number);
    EXPECT_EQ(top->wait(), 0);
    expect_restored(*top);
  }
}

TEST_F(EchoctlTopTest, ASignalThatKillsRestoresTheTerminalFirst) {
  for (const int number : {SIGUSR1, SIGALRM, SIGSEGV, SIGABRT}) {
    if (kSanitized && number == SIGSEGV) {
      continue;  // The sanitizer reports it.
    }
    const auto top = one_picture();
    top->signal(number);
    EXPECT_EQ(top->wait(), 128 + number);
    expect_restored(*top);
  }
}

TEST_F(EchoctlTopTest, ANewSizeShowsANewPictureThatFits) {
  const auto top = one_picture();
  top->resize(40, 8);
  top->wait_for("a small picture", [](const std::string& output) {
    const std::vector<std::string> lines = lines_of(last_picture(output));
    return lines.size() == 8 &&
           std::ranges::all_of(lines, [](const std::string& line) { return line.size() <= 40; });
  });
  top->resize(120, 50);
  wait_for_picture(*top, "\nBUSIEST");
  top->type("q");
  EXPECT_EQ(top->wait(), 0);
}

TEST_F(EchoctlTopTest, CtrlZLeavesTheScreenAndContinuingEntersItAgain) {
  const auto top = one_picture();
  top->type("\x1a");
  top->wait_for_stop();
  expect_restored(*top);
  const std::size_t before = top->output().size();
  top->signal(SIGCONT);
  top->wait_for("another picture", [&](const std::string& output) {
    return has_part(output.substr(before), kEnterSequence) &&
           has_part(output.substr(before), kClearSequence);
  });
  EXPECT_FALSE(top->has_modes_of_the_start());
  top->type("q");
  EXPECT_EQ(top->wait(), 0);
  expect_restored(*top);
}

TEST_F(EchoctlTopTest, WhileEchodIsAwayItSaysSoAndAfterwardsCountsAnew) {
  const auto top = pictures();
  wait_for_picture(*top, "accepted 0");
  daemon().finish();
  wait_for_picture(*top, "\nthere is no ");
  start_with_socket();
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("x"));
  wait_for_picture(*top, "\nconnections  1 of ");
  wait_for_picture(*top, "accepted 0");
  EXPECT_FALSE(has_part(last_picture(top->output()), "there is no "));
  EXPECT_FALSE(matches(top->output(), "(accepted|echoes|in|out) -[0-9]")) << top->output();
  top->type("q");
  EXPECT_EQ(top->wait(), 0);
}

TEST_F(EchoctlTopTest, AStuckEchodDoesNotKeepItFromEnding) {
  const auto top =
      std::make_unique<TerminalSession>(words({"--interval", "100ms", "--timeout", "1440m"}));
  wait_for_picture(*top, "accepted 0");
  daemon().freeze();
  top->type("q");
  EXPECT_EQ(top->wait(), 0);
  daemon().thaw();
}

TEST_F(EchoctlTopTest, ATerminalThatTakesNoOutputDoesNotKeepItFromEnding) {
  const auto top = pictures();
  wait_for_picture(*top, "accepted 0");
  top->fill();
  top->signal(SIGTERM);
  EXPECT_EQ(top->wait_without_reading(), 0);
  EXPECT_TRUE(top->has_modes_of_the_start());
}

TEST_F(EchoctlTopTest, TypedKeysAndCtrlSDoNotDisturb) {
  const auto top = pictures();
  wait_for_picture(*top, "accepted 0");
  top->type("xyz \x13\r\n");
  TcpPeer peer = connect();
  wait_for_picture(*top, "\nconnections  1 of ");
  EXPECT_FALSE(has_part(top->output(), "xyz"));
  top->type("Q");
  EXPECT_EQ(top->wait(), 0);
  expect_restored(*top);
}

TEST_F(EchoctlTopTest, ItEndsAfterACountOfIntervals) {
  TerminalSession top(words({"--interval", "100ms", "--count", "2"}));
  EXPECT_EQ(top.wait(), 0);
  expect_restored(top);
}

TEST_F(EchoctlTopTest, WithoutEchodItFailsAndTheErrorStaysVisible) {
  daemon().finish();
  TerminalSession top(words({}));
  EXPECT_EQ(top.wait(), 69);
  EXPECT_TRUE(top.output().starts_with("echoctl: there is no ")) << top.output();
  EXPECT_FALSE(has_part(top.output(), kEnterSequence));
}

TEST_F(EchoctlTopTest, ADumbTerminalAndAPipeGetALineForEachInterval) {
  TerminalSession top(words({"--interval", "100ms", "--count", "1"}), {"TERM=dumb"});
  EXPECT_EQ(top.wait(), 0);
  EXPECT_FALSE(has_part(top.output(), "\x1b"));
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("x"));
  Background echoing([&](const std::atomic<bool>& is_over) {
    while (!is_over) {
      EXPECT_TRUE(peer.echoes("x"));
    }
  });
  const ChildResult result = run({.arguments = words({"--interval", "500ms", "--count", "3"})});
  echoing.finish();
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const std::vector<std::string> lines = lines_of(result.out);
  ASSERT_EQ(lines.size(), 4U) << result.out;
  EXPECT_TRUE(lines[0].starts_with("  conns accept/s ")) << lines[0];
  // After a late line the next interval may be too short for an echo, or for any rate.
  bool has_rate = false;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    EXPECT_TRUE(matches(lines[i], "^      1 +([0-9.]+ +0 +[0-9.]+|- +- +-) .* serving$"))
        << lines[i];
    has_rate = has_rate || matches(lines[i], "^      1 +[0-9.]+ +0 +[1-9]");
  }
  EXPECT_TRUE(has_rate) << result.out;
}

TEST_F(EchoctlTopTest, IntoAPipeItSaysWhenEchodIsAwayAndEndsWithItsReader) {
  ChildProcess top({.arguments = words({"--interval", "100ms"})});
  wait_until("a line", [&] { return has_part(top.out(), "serving"); });
  daemon().finish();
  ASSERT_TRUE(top.wait_for_err(
      [](const std::string& err) { return has_part(err, "echoctl: there is no "); }));
  start_with_socket();
  const std::size_t before = top.out().size();
  wait_until("more lines", [&] { return has_part(top.out().substr(before), "serving"); });
  std::vector<std::string> all{"sh", "-c", "\"$@\" | head -n 1", "sh"};
  const std::vector<std::string> command = words({"--interval", "100ms"});
  all.insert(all.end(), command.begin(), command.end());
  EXPECT_EQ(lines_of(run({.arguments = all}).out).size(), 1U);
}

}  // namespace
}  // namespace echod::test
