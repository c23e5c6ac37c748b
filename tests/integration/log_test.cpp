// Log lines: their form, the sinks that they go to, and log files that cannot be written.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <thread>

#include "daemon_test.hpp"
#include "text_match.hpp"

namespace echod::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* kLine =
    "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2},[0-9]{3} - network-server - "
    "(TRACE|DEBUG|INFO|WARNING|ERROR|CRITICAL) - .+$";

class LogTest : public DaemonTest {
 protected:
  // Starts a daemon with this log file.
  void start_logging_to(const std::string& file, const std::string& more = "") {
    start(DaemonOptions{.config = "[log]\nfile = \"" + file + "\"\n" + more,
                        .has_log_argument = false});
  }

  void echo_once() {
    TcpPeer peer = connect();
    ASSERT_TRUE(peer.echoes("hello"));
  }

  [[nodiscard]] std::size_t count_err(const std::string& text) {
    std::size_t count = 0;
    for (const std::string& line : daemon().err_lines()) {
      count += line.find(text) != std::string::npos ? 1U : 0U;
    }
    return count;
  }
};

TEST_F(LogTest, EveryLineHasTheDocumentedForm) {
  start("[log]\nfile_level = \"trace\"\n");
  echo_once();
  daemon().finish();
  for (const std::string& line : daemon().log_lines()) {
    EXPECT_TRUE(matches(line, kLine)) << line;
  }
  for (const std::string& line : daemon().err_lines()) {
    EXPECT_TRUE(matches(line, kLine)) << line;
  }
}

TEST_F(LogTest, AConnectionHasALineAtOpenAndOneAtClose) {
  start();
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("hello"));
  const std::string name = peer.name();
  const std::string open = daemon().wait_for_log("open peer=" + name + ' ');
  EXPECT_TRUE(matches(open, " - DEBUG - open peer=[0-9.:]+ fd=[0-9]+$")) << open;
  peer.half_close();
  (void)peer.receive_to_end();
  const std::string close = daemon().wait_for_log("close peer=" + name + ' ');
  EXPECT_TRUE(matches(close,
                      " - DEBUG - close peer=[0-9.:]+ fd=[0-9]+ in=5 out=5 "
                      "duration=[0-9]+\\.[0-9]{3}s reason=peer_closed$"))
      << close;
  EXPECT_EQ(daemon().count_log("peer=" + name), 2U) << "messages are logged only at trace";
}

TEST_F(LogTest, AtTraceEachMessageHasItsSizeButNeverItsContent) {
  start("[log]\nfile_level = \"trace\"\n");
  TcpPeer peer = connect();
  ASSERT_TRUE(peer.echoes("this-is-the-secret-payload"));
  (void)daemon().wait_for_log(" - TRACE - echo peer=" + peer.name() + ' ');
  EXPECT_EQ(daemon().count_log(" in=26 out=26"), 1U);
  EXPECT_EQ(daemon().count_log("secret"), 0U);
}

TEST_F(LogTest, StderrShowsOnlyStartAndStopAtLevelOff) {
  start("[log]\nstderr_level = \"off\"\n");
  echo_once();
  daemon().finish();
  const std::string err = daemon().child().err();
  for (const char* const part :
       {" - INFO - listening on 127.0.0.1:", " - INFO - limits: ", " - INFO - started: echod ",
        " - INFO - stopping because of ", " - INFO - stopped: "}) {
    EXPECT_NE(err.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(err.find(" - DEBUG - "), std::string::npos);
}

TEST_F(LogTest, StderrHasItsOwnLevel) {
  start("[log]\nfile_level = \"error\"\nstderr_level = \"debug\"\n");
  echo_once();
  (void)daemon().wait_for_err("close peer=");
  EXPECT_EQ(daemon().count_log("peer="), 0U);
}

TEST_F(LogTest, WithoutAFileEverythingElseWorks) {
  start_logging_to("");
  echo_once();
  EXPECT_TRUE(daemon().log_lines().empty());
}

TEST_F(LogTest, ARelativeNameIsTakenInTheLogsDirectoryOfSystemd) {
  const TemporaryDirectory logs;
  start(DaemonOptions{.environment = {"LOGS_DIRECTORY=" + logs.path().string()},
                      .has_log_argument = false});
  wait_until("the log file", [&] {
    return read_file(logs.file("network-server.log")).find("started: ") != std::string::npos;
  });
  EXPECT_FALSE(std::filesystem::exists(daemon().log_path()));
}

TEST_F(LogTest, UnderSystemdStderrHasOnlyPriorityAndMessage) {
  start(DaemonOptions{.arguments = {"--stderr-level", "debug"}, .names_journal = true});
  echo_once();
  (void)daemon().wait_for_err("close peer=");
  for (const std::string& line : daemon().err_lines()) {
    EXPECT_TRUE(matches(line, "^<[2-7]>[a-z]")) << line;
    EXPECT_EQ(line.find("network-server"), std::string::npos) << line;
  }
  EXPECT_EQ(count_err("<7>"), 2U) << "open and close are debug";
  EXPECT_FALSE(daemon().wait_for_log("close peer=").starts_with('<'))
      << "the log file has no priorities";
}

TEST_F(LogTest, RotationUnderLoadLosesNoLine) {
  start("[log]\nconnection_lines_per_second = 0\n");
  constexpr std::size_t kRotations = 10;
  constexpr std::size_t kConnectsEach = 100;
  std::size_t opens = 0;
  for (std::size_t i = 0; i < kRotations; ++i) {
    for (std::size_t n = 0; n < kConnectsEach; ++n) {
      echo_once();
      if (n == kConnectsEach / 2) {  // The daemon gets SIGUSR1 only later.
        std::filesystem::rename(daemon().log_path(), daemon().directory().file(std::to_string(i)));
      }
    }
    daemon().signal(SIGUSR1);
    (void)daemon().wait_for_log("log file reopened");
  }
  daemon().finish();
  std::string all = read_file(daemon().log_path());
  for (std::size_t i = 0; i < kRotations; ++i) {
    all += read_file(daemon().directory().file(std::to_string(i)));
  }
  for (const std::string& line : lines_of(all)) {
    EXPECT_TRUE(matches(line, kLine)) << line;
    opens += line.find(" - open peer=") != std::string::npos ? 1U : 0U;
  }
  EXPECT_EQ(opens, kRotations * kConnectsEach);
  EXPECT_NE(all.find(" log_lines_dropped=0 "), std::string::npos);
}

TEST_F(LogTest, AReloadReopensTheFileToo) {
  start();
  std::filesystem::rename(daemon().log_path(), daemon().directory().file("old"));
  daemon().signal(SIGHUP);
  (void)daemon().wait_for_err("reload: applied");
  echo_once();
  (void)daemon().wait_for_log("close peer=");
}

TEST_F(LogTest, AFileInAMissingFolderIsReportedOnceAndOpenedOnceItExists) {
  const TemporaryDirectory folder;
  const std::string file = folder.file("missing/network-server.log");
  start_logging_to(file);
  daemon().expect_log("cannot write the log file");
  for (int i = 0; i < 20; ++i) {
    echo_once();
  }
  EXPECT_NE(daemon().wait_for_err(file).find("No such file or directory"), std::string::npos);
  std::filesystem::create_directory(folder.path() / "missing");
  wait_until("the log to go on", [&] {
    echo_once();
    return read_file(file).find("close peer=") != std::string::npos;
  });
  (void)daemon().wait_for_err("the log file " + file + " can be written again");
  EXPECT_EQ(count_err("cannot write the log file"), 1U);
}

TEST_F(LogTest, AFailedReopenLosesNoLineAndIsRetried) {
  start();
  daemon().expect_log("cannot write the log file");
  daemon().allow_log("reload: refused");
  daemon().allow_log(daemon().config_path());
  std::size_t failures = 0;
  for (const int number : {SIGUSR1, SIGHUP}) {
    const std::string rotated = daemon().directory().file(std::to_string(number));
    std::filesystem::rename(daemon().log_path(), rotated);
    std::filesystem::create_directory(daemon().log_path());
    write_file(daemon().config_path(), "no TOML");  // The reload is refused, the reopen is not.
    daemon().signal(number);
    EXPECT_NE(daemon().wait_for_err("cannot write the log file", ++failures).find("go to the file"),
              std::string::npos);
    echo_once();
    wait_until("the line in the old file",
               [&rotated] { return read_file(rotated).find("close peer=") != std::string::npos; });
    std::filesystem::remove(daemon().log_path());
    wait_until("the new file", [this] {
      echo_once();
      return std::filesystem::exists(daemon().log_path());
    });
  }
  EXPECT_EQ(daemon().counter("log_write_failures"), 0U);
}

TEST_F(LogTest, AFailedStartIsInTheLogFile) {
  const TemporaryDirectory directory;
  const DaemonProcess holder;
  const ChildResult result =
      run_echod({"--config", "/dev/null", "--address", "127.0.0.1", "--port",
                 std::to_string(holder.port()), "--log-file", directory.file("log")},
                directory.path());
  ASSERT_TRUE(result.err.starts_with("echod: cannot listen on ")) << result.err;
  const std::string reason = result.err.substr(result.err.find(' ') + 1);
  const std::string log = read_file(directory.file("log"));
  EXPECT_TRUE(log.ends_with(" - CRITICAL - start failed: " + reason)) << log;
  EXPECT_EQ(lines_of(log).size(), 1U) << log;
}

TEST_F(LogTest, AFailedReopenIsNotLoggedAsASuccess) {
  const TemporaryDirectory folder;
  start_logging_to(folder.file("missing/network-server.log"), "stderr_level = \"info\"\n");
  daemon().expect_log("cannot write the log file");
  daemon().signal(SIGUSR1);
  (void)daemon().wait_for_err("cannot write the log file");
  daemon().signal(SIGUSR2);
  (void)daemon().wait_for_err("counters: ");  // So SIGUSR1 was handled before.
  std::filesystem::create_directory(folder.path() / "missing");
  daemon().signal(SIGUSR1);
  (void)daemon().wait_for_err("log file reopened");
  EXPECT_EQ(count_err("log file reopened"), 1U);
}

TEST_F(LogTest, AFullDiskIsReportedOnceAndEchoingGoesOn) {
  start_logging_to("/dev/full");
  daemon().expect_log("cannot write the log file");
  for (int i = 0; i < 20; ++i) {
    echo_once();
  }
  EXPECT_NE(daemon().wait_for_err("/dev/full").find("No space left on device"), std::string::npos);
  EXPECT_EQ(count_err("/dev/full"), 1U);
}

// The log file is a pipe of one page; the test reads from it with read_pipe().
class PipeLogTest : public LogTest {
 protected:
  PipeLogTest() {
    EXPECT_EQ(mkfifo(path_.c_str(), 0600), 0);
    reader_ = open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    EXPECT_EQ(fcntl(reader_, F_SETPIPE_SZ, kPage), kPage);
  }
  ~PipeLogTest() override { (void)close(reader_); }

  // Logs many more lines than the pipe holds.
  void echo_often() {
    TcpPeer peer = connect();
    for (std::size_t i = 0; i < kEchoes; ++i) {
      ASSERT_TRUE(peer.echoes("hello"));
    }
  }
  [[nodiscard]] std::string config(const std::string& more = "") const {
    return "file_level = \"trace\"\nconnection_lines_per_second = 0\n" + more;
  }
  // Reads what is in the pipe.
  void read_pipe() {
    std::array<char, kPage> bytes{};
    const ssize_t count = read(reader_, bytes.data(), bytes.size());
    read_.append(bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  }

  static constexpr int kPage = 4096;
  static constexpr std::size_t kEchoes = 300;
  const TemporaryDirectory folder_;
  const std::string path_ = folder_.file("pipe");
  int reader_ = -1;
  std::string read_;
};

TEST_F(PipeLogTest, LosesNoLineWhileTheQueueIsNotFull) {
  start_logging_to(path_, config());
  echo_often();
  wait_until("the last line", [this] {
    std::this_thread::sleep_for(150ms);  // What makes the reader slow.
    read_pipe();
    return read_.find("close peer=") != std::string::npos;
  });
  std::size_t echoes = 0;
  for (const std::string& line : lines_of(read_)) {
    EXPECT_TRUE(matches(line, kLine)) << line;
    echoes += line.find(" - TRACE - echo peer=") != std::string::npos ? 1U : 0U;
  }
  EXPECT_EQ(echoes, kEchoes);
  daemon().signal(SIGUSR2);
  const std::string counters = daemon().wait_for_err("counters: ");
  EXPECT_NE(counters.find(" log_lines_dropped=0 log_write_failures=0 "), std::string::npos);
}

TEST_F(PipeLogTest, ThatIsNeverReadDelaysNeitherEchoesNorTheStop) {
  start_logging_to(path_, config("queue_lines = 16\n"));
  daemon().expect_log("log lines were dropped");
  echo_often();
}

TEST_F(PipeLogTest, ThatIsNeverReadDoesNotBlockAChangeToAnotherFile) {
  start_logging_to(path_, config());
  echo_often();
  daemon().reload("[log]\nfile = \"" + daemon().log_path() + "\"\n");
  (void)daemon().wait_for_log("reload: applied");
}

TEST_F(LogTest, LinesAboutConnectionsAreLimitedAndSuppressedOnesAreCounted) {
  start("[log]\nconnection_lines_per_second = 10\n");
  constexpr std::size_t kConnects = 300;
  for (std::size_t i = 0; i < kConnects; ++i) {
    echo_once();
  }
  wait_until("all to be closed", [this] { return daemon().counter("connections") == 0; });
  const std::uint64_t suppressed = daemon().counter("connection_lines_suppressed");
  EXPECT_GT(suppressed, 0U);
  EXPECT_EQ(daemon().count_log(" peer=") + suppressed, 2 * kConnects);
}

// There is no other event that could trigger the report: no other connection, no timeout sweep.
TEST_F(LogTest, SuppressedLinesAreReportedWhileTheDaemonIsIdle) {
  start(
      "[timeouts]\nidle_s = 0\nstalled_write_s = 0\n"
      "[log]\nconnection_lines_per_second = 1\n");
  daemon().freeze();  // So that both are accepted at the same time.
  TcpPeer peer = connect();
  TcpPeer other = connect();
  daemon().thaw();
  const std::string line = daemon().wait_for_log("lines about connections were suppressed");
  EXPECT_NE(line.find("1 log lines about"), std::string::npos) << line;
}

// A queue of 16 lines and 1500 lines at once.
TEST_F(LogTest, LinesThatComeFasterThanTheyAreWrittenAreDroppedAndCounted) {
  start("[log]\nqueue_lines = 16\nfile_level = \"trace\"\nconnection_lines_per_second = 0\n");
  daemon().allow_log("log lines were dropped");
  daemon().freeze();
  std::vector<TcpPeer> peers;
  for (int i = 0; i < 500; ++i) {
    peers.push_back(connect());
    peers.back().send_all("hello");
  }
  daemon().thaw();
  for (TcpPeer& peer : peers) {
    ASSERT_EQ(peer.receive_exactly(5), "hello");
  }
  peers.clear();
  wait_until("all to be closed", [this] { return daemon().counter("connections") == 0; });
  constexpr std::size_t kLines = 3 * 500;  // Open, echo, close.
  const std::uint64_t dropped = daemon().counter("log_lines_dropped");
  EXPECT_LE(daemon().count_log(" peer="), kLines);
  EXPECT_GE(daemon().count_log(" peer=") + dropped, kLines) << "a line was lost uncounted";
}

TEST_F(LogTest, WithoutRootAFileWithoutWritePermissionIsReported) {
  if (geteuid() != 0) {
    GTEST_SKIP() << "needs root, to start the daemon as another user";
  }
  const TemporaryDirectory folder;  // Owned by root, mode 0700.
  const std::string file = folder.file("network-server.log");
  constexpr uid_t kNobody = 65534;
  start(DaemonOptions{
      .config = "[log]\nfile = \"" + file + "\"\n", .has_log_argument = false, .user = kNobody});
  const std::string error = "cannot write the log file " + file + ": Permission denied";
  daemon().expect_log(error);
  echo_once();
  (void)daemon().wait_for_err(error);  // The folder must exist until then.
}

}  // namespace
}  // namespace echod::test
