// How echoload run writes its results. An output that fails does not prevent the others. Readers
// never see half a result, or the result of another run.
#include <fcntl.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <future>

#include "daemon_test.hpp"
#include "full_outputs.hpp"
#include "load_client.hpp"

namespace echod::test {
namespace {

constexpr int kUnavailable = 69;
constexpr int kSystem = 71;

class EcholoadOutputTest : public DaemonTest {
 protected:
  EcholoadOutputTest() { start(); }

  [[nodiscard]] std::vector<std::string> words(const std::vector<std::string>& arguments) {
    std::vector<std::string> all{ECHOLOAD_BINARY, "--warmup", "0", "--duration", kMoment};
    all.insert(all.end(), arguments.begin(), arguments.end());
    all.push_back(local_target(daemon().port()));
    return all;
  }
  [[nodiscard]] ChildResult load(const std::vector<std::string>& arguments) {
    return run({.arguments = words(arguments)});
  }
  // Runs echoload in a shell with the given redirections.
  [[nodiscard]] ChildResult load_into(const std::string& redirections,
                                      const std::vector<std::string>& arguments) {
    std::vector<std::string> all{"sh", "-c", "exec \"$@\" " + redirections, "sh"};
    const std::vector<std::string> command = words(arguments);
    all.insert(all.end(), command.begin(), command.end());
    return run({.arguments = all});
  }
  [[nodiscard]] std::string file(const std::string& name) const { return directory_.file(name); }
  [[nodiscard]] bool has_result(const std::string& name) const {
    const std::string text = read_file(file(name));
    return text.ends_with("}\n") && nlohmann::json::parse(text)["kind"] == "run";
  }
  [[nodiscard]] std::vector<std::string> all_files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
      names.push_back(entry.path().filename());
    }
    std::ranges::sort(names);
    return names;
  }

 private:
  TemporaryDirectory directory_;
};

TEST_F(EcholoadOutputTest, ABrokenStandardOutputDoesNotPreventOtherResults) {
  const ChildResult result =
      load_into(">/dev/full", {"--json", file("json"), "--histogram", file("hgrm")});
  EXPECT_EQ(result.exit_code, kSystem);
  EXPECT_EQ(result.err, "echoload: cannot write to standard output: No space left on device\n");
  EXPECT_TRUE(has_result("json"));
  EXPECT_NE(read_file(file("hgrm")).find("#[Max"), std::string::npos);
}

TEST_F(EcholoadOutputTest, AnUnwritableFileDoesNotPreventOtherResults) {
  const ChildResult result =
      load({"--json", "/dev/full", "--histogram", file("hgrm"), "--html", file("html")});
  EXPECT_EQ(result.exit_code, kSystem);
  EXPECT_EQ(result.err, "echoload: cannot write /dev/full: No space left on device\n");
  EXPECT_NE(result.out.find("passed: "), std::string::npos);
  EXPECT_NE(read_file(file("hgrm")).find("#[Max"), std::string::npos);
  EXPECT_TRUE(read_file(file("html")).ends_with("</html>\n"));
}

TEST_F(EcholoadOutputTest, UnwritableIntervalLinesFailTheRunButNotOtherResults) {
  const ChildResult result = load({"--interval-json", "/dev/full", "--json", file("json")});
  EXPECT_EQ(result.exit_code, kSystem);
  EXPECT_EQ(result.err, "echoload: cannot write /dev/full: No space left on device\n");
  EXPECT_TRUE(has_result("json"));
  const ChildResult both = load({"--interval-json", "/dev/../dev/full", "--json", "/dev/full"});
  EXPECT_EQ(both.err,
            "echoload: cannot write /dev/full: No space left on device; cannot write "
            "/dev/../dev/full: No space left on device\n");
}

TEST_F(EcholoadOutputTest, FilesAreWrittenWhileStandardOutputBlocks) {
  const FullFifo output;
  ChildProcess client(
      {.arguments = {"sh", "-c", R"(exec "$0" --warmup 0 --duration 100ms --json "$1" "$2" >"$3")",
                     ECHOLOAD_BINARY, file("json"), local_target(daemon().port()), output.path()}});
  wait_until("the result", [this] { return has_result("json"); });
  EXPECT_TRUE(client.is_running());
}

TEST_F(EcholoadOutputTest, AFileReplacesTheOldOne) {
  write_file(file("json"), "the run before");
  ASSERT_EQ(chmod(file("json").c_str(), S_IRUSR | S_IWUSR), 0);
  const int before = open(file("json").c_str(), O_RDONLY | O_CLOEXEC);
  const OpenedFile kept(before);
  EXPECT_EQ(load({"--json", file("json")}).exit_code, 0);
  EXPECT_TRUE(has_result("json"));
  EXPECT_EQ(all_files(), std::vector<std::string>{"json"});
  struct stat old {};
  struct stat now {};
  ASSERT_EQ(fstat(before, &old), 0);
  ASSERT_EQ(stat(file("json").c_str(), &now), 0);
  EXPECT_EQ(old.st_nlink, 0U) << "a reader of the old file could see half of the new result";
  EXPECT_EQ(now.st_mode, old.st_mode);
}

TEST_F(EcholoadOutputTest, ARunThatIsKilledLeavesTheFileAsItWas) {
  write_file(file("json"), "the run before");
  {
    ChildProcess client({.arguments = words({"--duration", "1000s", "--json", file("json")})});
    wait_until("the first echoes", [this] { return daemon().counter("echoes") > 100; });
  }
  EXPECT_EQ(read_file(file("json")), "the run before");
  EXPECT_EQ(all_files(), std::vector<std::string>{"json"});
}

TEST_F(EcholoadOutputTest, ASymbolicLinkStaysOne) {
  std::filesystem::create_symlink("json", file("link"));
  EXPECT_EQ(load({"--json", file("link")}).exit_code, 0);
  EXPECT_TRUE(std::filesystem::is_symlink(file("link")));
  EXPECT_TRUE(has_result("json"));
  EXPECT_EQ(all_files(), (std::vector<std::string>{"json", "link"}));
}

TEST_F(EcholoadOutputTest, AFileIsReplacedThroughASymbolicLinkToo) {
  write_file(file("json"), "the run before");
  std::filesystem::create_symlink("json", file("link"));
  const int before = open(file("json").c_str(), O_RDONLY | O_CLOEXEC);
  const OpenedFile kept(before);
  EXPECT_EQ(load({"--json", file("link")}).exit_code, 0);
  EXPECT_TRUE(std::filesystem::is_symlink(file("link")));
  EXPECT_TRUE(has_result("json"));
  EXPECT_EQ(all_files(), (std::vector<std::string>{"json", "link"}));
  struct stat old {};
  ASSERT_EQ(fstat(before, &old), 0);
  EXPECT_EQ(old.st_nlink, 0U) << "a reader of the old file could see half of the new result";
}

TEST_F(EcholoadOutputTest, ADescriptorGetsTheResultInPlace) {
  write_file(file("json"), "the run before");
  const ChildResult result =
      load_into("9<\"" + file("json") + '"', {"--json", "/dev/fd/9", "--html", file("html")});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(has_result("json"));
  EXPECT_EQ(all_files(), (std::vector<std::string>{"html", "json"}));
}

TEST_F(EcholoadOutputTest, TwoResultsForOneFileAreRefused) {
  write_file(file("json"), "the run before");
  std::filesystem::create_symlink("json", file("link"));
  std::filesystem::create_symlink("new", file("dangling"));
  for (const auto& [one, other] : {std::pair("json", "link"), std::pair("new", "dangling")}) {
    for (const char* option : {"--html", "--interval-json"}) {
      const ChildResult result = load({"--json", file(one), option, file(other)});
      EXPECT_EQ(result.exit_code, 64) << option;
      EXPECT_EQ(result.err, "echoload: only one result can go to " +
                                std::filesystem::weakly_canonical(file(one)).string() + '\n');
    }
  }
  EXPECT_EQ(read_file(file("json")), "the run before");
  EXPECT_FALSE(std::filesystem::exists(file("new")));
  const std::string absent = "echoload-output-test";
  const ChildResult relative = load({"--json", absent, "--html", "./" + absent});
  EXPECT_EQ(relative.exit_code, 64);
  EXPECT_FALSE(std::filesystem::exists(absent));
}

TEST_F(EcholoadOutputTest, AReaderOfAFifoGetsTheWholeResultAndOneEndOfFile) {
  ASSERT_EQ(mkfifo(file("fifo").c_str(), S_IRUSR | S_IWUSR), 0);
  auto text = std::async(std::launch::async, [this] { return read_file(file("fifo")); });
  EXPECT_EQ(load({"--json", file("fifo")}).exit_code, 0);
  EXPECT_EQ(nlohmann::json::parse(text.get())["kind"], "run");
}

TEST_F(EcholoadOutputTest, ABlockedFifoIsWaitedForUntilASignal) {
  ASSERT_EQ(mkfifo(file("fifo").c_str(), S_IRUSR | S_IWUSR), 0);
  ChildProcess client({.arguments = words({"--json", file("fifo")})});
  wait_until("echoload to run", [&client] {
    return read_file("/proc/" + std::to_string(client.pid()) + "/cmdline").find("fifo") !=
           std::string::npos;
  });
  client.signal(SIGTERM);
  constexpr int kKilled = 128;
  EXPECT_EQ(client.wait(), kKilled + SIGTERM);
}

TEST_F(EcholoadOutputTest, AnotherNameOfStandardOutputIsStandardOutput) {
  for (const char* name : {"-", "/dev/stdout", "/proc/self/fd/1"}) {
    const ChildResult result = load({"--json", name});
    EXPECT_EQ(nlohmann::json::parse(result.out)["kind"], "run") << name;
  }
  EXPECT_EQ(load_into(">\"" + file("json") + '"', {"--json", "/dev/stdout"}).exit_code, 0);
  EXPECT_TRUE(has_result("json"));
  const ChildResult twice = load({"--json", "/dev/stdout", "--html", "-"});
  EXPECT_EQ(twice.exit_code, 64);
  EXPECT_EQ(twice.err, "echoload: only one result can go to standard output\n");
}

TEST_F(EcholoadOutputTest, ARunThatCouldNotBeginReplacesTheOldResult) {
  for (const char* name : {"json", "html", "hgrm"}) {
    write_file(file(name), "the run before");
  }
  const ChildResult result =
      run({.arguments = {ECHOLOAD_BINARY, "--json", file("json"), "--html", file("html"),
                         "--histogram", file("hgrm"), "127.0.0.1:1"}});
  EXPECT_EQ(result.exit_code, kUnavailable);
  EXPECT_EQ(result.out, "");
  const std::string reason = "no connection to the server: 127.0.0.1:1: Connection refused";
  EXPECT_EQ(result.err, "echoload: " + reason + '\n');
  const auto json = nlohmann::json::parse(read_file(file("json")));
  EXPECT_EQ(json["began"], false);
  EXPECT_EQ(json["failures"], nlohmann::json{"the run could not begin: " + reason});
  EXPECT_NE(read_file(file("html")).find(reason), std::string::npos);
  EXPECT_NE(read_file(file("hgrm")).find("Total count    =            0"), std::string::npos);
}

TEST_F(EcholoadOutputTest, AWrongCommandLineLeavesTheFileAsItWas) {
  write_file(file("json"), "the run before");
  EXPECT_EQ(load({"--json", file("json"), "--server-pid", "4194303"}).exit_code, 64);
  EXPECT_EQ(read_file(file("json")), "the run before");
}

// Intervals.

TEST_F(EcholoadOutputTest, AStallShowsInItsIntervals) {
  ChildProcess client({.arguments = words({"--duration", "1000s", "--interval", "100ms", "--rate",
                                           "1k", "--timeout", "30s", "--json", file("json")})});
  wait_until("the first echoes", [this] { return daemon().counter("echoes") > 300; });
  daemon().freeze();
  std::this_thread::sleep_for(std::chrono::milliseconds(400));  // The stall itself.
  daemon().thaw();
  const std::uint64_t before = daemon().counter("echoes");
  wait_until("more echoes", [&] { return daemon().counter("echoes") > before + 300; });
  client.signal(SIGINT);
  constexpr int kInterrupted = 3;
  EXPECT_EQ(client.wait(), kInterrupted) << client.err();
  const auto json = nlohmann::json::parse(read_file(file("json")));
  const auto& series = json["series"];
  std::uint64_t echoes = 0;
  int silent = 0;  // Since the first 300 echoes: a busy machine may delay those too.
  for (const auto& interval : series) {
    echoes += interval["echoes"].get<std::uint64_t>();
    silent += echoes >= 300 && interval["echoes"] == 0 ? 1 : 0;
  }
  EXPECT_EQ(json["echoes"], echoes);
  EXPECT_GE(silent, 2) << series.dump();
  EXPECT_EQ(lines_of(client.err()).size(), series.size()) << client.err();
  EXPECT_NE(client.err().find(": 0 errors, 0 echoes/s, 0.0 MB/s\n"), std::string::npos);
}

TEST_F(EcholoadOutputTest, IntervalsAreShownOnlyIfAskedFor) {
  const ChildResult result = load({"--json", file("json")});
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(nlohmann::json::parse(read_file(file("json")))["series"].size(), kSanitized ? 2U : 1U);
}

TEST_F(EcholoadOutputTest, ABlockedStandardErrorDoesNotDelayTheRun) {
  ChildProcess client({.arguments = words({"--interval", "10ms"}), .blocks_stderr = true});
  EXPECT_EQ(client.wait(), 0);
  EXPECT_NE(client.out().find("passed: "), std::string::npos);
}

TEST_F(EcholoadOutputTest, ALoopOfLinksIsReportedBeforeTheRun) {
  std::filesystem::create_symlink("loop", file("loop"));
  const ChildResult result = load({"--json", file("loop")});
  EXPECT_NE(result.exit_code, 0);
  EXPECT_EQ(result.err,
            "echoload: cannot write " + file("loop") + ": Too many levels of symbolic links\n");
}

}  // namespace
}  // namespace echod::test
