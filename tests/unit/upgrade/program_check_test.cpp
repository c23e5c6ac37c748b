// Programs that answer a check, and programs that are broken in each way that was seen.
#include "upgrade/program_check.hpp"

#include <gtest/gtest.h>
#include <link.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "deadline.hpp"
#include "files.hpp"
#include "upgrade_probe.hpp"

namespace echod::test {
namespace {

class ProgramCheckTest : public testing::Test {
 protected:
  CheckResult check(const std::string& path, std::vector<std::string> arguments = {"echod"},
                    std::chrono::milliseconds limit = kPatience) {
    return check_program(ProgramFile(path, std::move(arguments)), state_.fd(), limit);
  }
  CheckResult check_script(const std::string& text, std::chrono::milliseconds limit = kPatience) {
    return check(write_script(directory_, text), {"echod"}, limit);
  }
  // Expects that `result` is a refusal with these words behind the path of the program.
  void expect_refusal(const CheckResult& result, const std::string& words,
                      const std::string& name = "script") {
    EXPECT_EQ(result.refusal, directory_.file(name) + words);
    EXPECT_FALSE(result.is_accepted());
    EXPECT_EQ(result.configuration, "");
  }

  TemporaryDirectory directory_;
  StateFile state_;
};

TEST_F(ProgramCheckTest, AProgramThatAnswersIsAccepted) {
  const CheckResult result = check_script("echo 'workers = 2'; echo 'echod: a warning' >&2");
  EXPECT_TRUE(result.is_accepted()) << result.refusal;
  EXPECT_EQ(result.configuration, "workers = 2\n");
}

TEST_F(ProgramCheckTest, TheProgramGetsItsArgumentsAndTheState) {
  const std::string path = write_script(directory_, "echo \"$@\"; eval cat \"<&$ECHOD_STATE_FD\"");
  EXPECT_EQ(check(path, {"echod", "--port", "7", "--"}).configuration,
            "--check-upgrade --port 7 --\nstate");
}

TEST_F(ProgramCheckTest, AnEmptyListOfArgumentsIsFilled) {
  EXPECT_EQ(check(write_script(directory_, "echo \"$@\""), {}).configuration, "--check-upgrade\n");
}

TEST_F(ProgramCheckTest, TheProgramCannotSpeakToTheServiceManager) {
  setenv("NOTIFY_SOCKET", "/run/systemd/notify", 1);
  const CheckResult result = check_script("echo \"[$NOTIFY_SOCKET]\"");
  unsetenv("NOTIFY_SOCKET");
  EXPECT_EQ(result.configuration, "[]\n");
}

TEST_F(ProgramCheckTest, AMissingFileIsRefused) {
  expect_refusal(check(directory_.file("echod")), " cannot be executed: No such file or directory",
                 "echod");
}

TEST_F(ProgramCheckTest, AFileThatIsNotExecutableIsRefused) {
  write_file(directory_.file("script"), "#!/bin/sh\n");
  expect_refusal(check(directory_.file("script")), " cannot be executed: Permission denied");
}

TEST_F(ProgramCheckTest, AnEmptyFileIsRefused) {
  const std::string path = write_script(directory_, "");
  std::filesystem::resize_file(path, 0);
  expect_refusal(check(path), " cannot be executed: Exec format error");
}

TEST_F(ProgramCheckTest, AProgramOfAnotherMachineIsRefused) {
  const std::string path = copy_probe(directory_);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(offsetof(ElfW(Ehdr), e_machine));
  const ElfW(Half) machine = EM_VAX;
  file.write(reinterpret_cast<const char*>(&machine), sizeof machine);
  file.close();
  expect_refusal(check(path), " cannot be executed: Exec format error", "upgrade_probe");
}

// The size of the part of an ELF file that is loaded into memory. Debugging information follows it.
std::uint64_t loaded_bytes(const std::string& path) {
  const std::string text = read_file(path);
  ElfW(Ehdr) header{};
  std::memcpy(&header, text.data(), sizeof header);
  std::uint64_t end = 0;
  for (std::size_t index = 0; index < header.e_phnum; ++index) {
    ElfW(Phdr) segment{};
    std::memcpy(&segment, text.data() + header.e_phoff + index * sizeof segment, sizeof segment);
    if (segment.p_type == PT_LOAD) {
      end = std::max<std::uint64_t>(end, segment.p_offset + segment.p_filesz);
    }
  }
  return end;
}

// The kernel notices only after the exec that the file is too short.
TEST_F(ProgramCheckTest, ATruncatedProgramIsRefused) {
  const std::string path = copy_probe(directory_);
  const std::uint64_t loaded = loaded_bytes(path);
  for (const std::uint64_t part : {2U, 3U, 10U}) {
    std::filesystem::resize_file(path, loaded / part);
    const CheckResult result = check(path, {"echod", "descriptors"});
    EXPECT_TRUE(result.refusal.starts_with(path + " was killed by SIG") ||
                result.refusal.starts_with(path + " cannot be executed: ") ||
                result.refusal.starts_with(path + ": error while loading"))
        << result.refusal;
  }
  std::filesystem::resize_file(path, sizeof(ElfW(Ehdr)) / 2);
  expect_refusal(check(path), " cannot be executed: Exec format error", "upgrade_probe");
}

TEST_F(ProgramCheckTest, AMissingLibraryIsNamed) {
  const std::string path = copy_probe(directory_);
  std::filesystem::remove(directory_.file(kProbeLibrary));
  expect_refusal(check(path, {"./echod", "descriptors"}),
                 std::string(": error while loading shared libraries: ") + kProbeLibrary +
                     ": cannot open shared object file: No such file or directory",
                 "upgrade_probe");
}

TEST_F(ProgramCheckTest, AProgramThatHangsIsRefusedAtTheDeadline) {
  expect_refusal(check_script("echo x; exec sleep 1000", std::chrono::milliseconds(500)),
                 " gave no answer within 0.5 s");
}

TEST_F(ProgramCheckTest, AProgramThatCrashesIsRefused) {
  expect_refusal(check_script("echo 'workers = 2'; kill -SEGV $$"), " was killed by SIGSEGV");
  expect_refusal(check_script("echo 'echod: invariant violated' >&2; kill -ABRT $$"),
                 " was killed by SIGABRT: invariant violated");
}

TEST_F(ProgramCheckTest, ASignalWithoutANameIsANumber) {
  expect_refusal(check_script("kill -40 $$"), " was killed by signal 40");
}

TEST_F(ProgramCheckTest, AProgramThatPrintsTooMuchIsRefused) {
  expect_refusal(check_script("exec yes"), " printed more than 1 MiB instead of its configuration");
}

TEST_F(ProgramCheckTest, AProgramThatRefusesSaysWhy) {
  expect_refusal(
      check_script("echo one >&2; printf 'echod: /etc/echod.toml:3: no\\n\\n' >&2; exit 3"),
      ": /etc/echod.toml:3: no");
  expect_refusal(check_script("exit 3"), " exited with code 3");
  expect_refusal(check_script("echo \"$0: bad\" >&2; exit 78"), ": bad");
}

TEST_F(ProgramCheckTest, TheReasonIsOneLineOfText) {
  expect_refusal(check_script("printf 'a\\tb\\033[1m\\r\\n' >&2; exit 1"), ": a\\u0009b\\u001B[1m");
  const CheckResult result = check_script("head -c 5000 /dev/zero | tr '\\0' x >&2; exit 1");
  EXPECT_LT(result.refusal.size(), directory_.file("script").size() + 600);
  EXPECT_TRUE(result.refusal.ends_with("xxx...")) << result.refusal;
}

TEST_F(ProgramCheckTest, AProgramThatPrintsNothingIsRefused) {
  expect_refusal(check_script("exit 0"), " printed no configuration");
}

TEST_F(ProgramCheckTest, AProgramThatIsNotKnownIsRefused) {
  EXPECT_EQ(check("").refusal,
            "the path of the program is not known: /proc/self/exe cannot be read");
}

// As in echod, which ignores SIGCHLD (reap_children()).
TEST_F(ProgramCheckTest, TheVerdictIsTheSameWhileSigchldIsIgnored) {
  (void)std::signal(SIGCHLD, SIG_IGN);
  EXPECT_TRUE(check_script("echo 'workers = 2'").is_accepted());
  expect_refusal(check_script("echo x; exit 3"), " exited with code 3");
  (void)std::signal(SIGCHLD, SIG_DFL);
}

}  // namespace
}  // namespace echod::test
