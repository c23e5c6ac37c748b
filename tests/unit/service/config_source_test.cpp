#include "service/config_source.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "child_process.hpp"
#include "files.hpp"

namespace echod {
namespace {

using Lines = std::vector<std::string>;

Lines errors_of_file(const std::string& path) {
  try {
    (void)load_config_file(path);
    return {};
  } catch (const ConfigErrors& errors) {
    return errors.lines();
  }
}

// Has a directory that is removed after the test.
class ConfigFileOnDisk : public testing::Test {
 protected:
  [[nodiscard]] std::string write(const std::string& name, const std::string& text) const {
    test::write_file(folder_.file(name), text);
    return folder_.file(name);
  }

  const test::TemporaryDirectory folder_;
};

// Has a configuration file that is removed after the test.
class EffectiveConfig : public testing::Test {
 protected:
  CommandLine with_file(const std::string& text) {
    test::write_file(path_, text);
    CommandLine options;
    options.config_file = path_;
    return options;
  }

 private:
  const test::TemporaryDirectory directory_;

 protected:
  const std::string path_ = directory_.file("echod.toml");
};

TEST_F(ConfigFileOnDisk, IsReadAndNamedInMessages) {
  EXPECT_EQ(load_config_file(write("good.toml", "[turn]\nreads = 5\n")).turn.reads, 5U);
  const std::string bad = write("bad.toml", "x = 1\n");
  const Lines errors = errors_of_file(bad);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].rfind(bad + ":1:1: x: unknown key", 0), 0U) << errors[0];
}

TEST_F(ConfigFileOnDisk, MayBeEmptyOrTheNullDevice) {
  EXPECT_EQ(load_config_file(write("empty.toml", "")), Config{});
  EXPECT_EQ(load_config_file("/dev/null"), Config{});
}

TEST_F(ConfigFileOnDisk, IsReportedWithTheReasonIfItCannotBeRead) {
  const std::string missing = folder_.file("missing.toml");
  EXPECT_EQ(errors_of_file(missing),
            (Lines{missing + ": cannot be read: No such file or directory"}));
  EXPECT_EQ(errors_of_file(folder_.path()),
            (Lines{folder_.path().string() + ": cannot be read: Is a directory"}));
}

// A file that cannot be read must not count as missing.
TEST_F(ConfigFileOnDisk, ExistsUnlessItsNameIsMissing) {
  const auto link = [this](const std::string& name, const std::string& target) {
    std::filesystem::create_symlink(target, folder_.file(name));
    return folder_.file(name);
  };
  EXPECT_FALSE(name_exists(folder_.file("missing.toml")));
  EXPECT_FALSE(name_exists(folder_.file("missing/echod.toml")));
  const std::string file = write("echod.toml", "");
  const std::string dangling = link("dangling.toml", "nowhere");
  for (const std::string& name :
       {file, folder_.path().string(), dangling, link("loop.toml", "loop.toml"),
        link("file.toml", file + "/x"), file + "/x", link("good.toml", file)}) {
    EXPECT_TRUE(name_exists(name)) << name;
  }
  EXPECT_EQ(errors_of_file(dangling),
            (Lines{dangling +
                   ": cannot be read: No such file or directory; it is a dangling symbolic link"}));
}

TEST_F(ConfigFileOnDisk, ExistsInAFolderWithoutPermission) {
  if (geteuid() == 0) {
    GTEST_SKIP() << "root may enter any folder";
  }
  const std::filesystem::path closed = folder_.file("closed");
  std::filesystem::create_directory(closed, folder_.path());
  std::filesystem::permissions(closed, std::filesystem::perms::none);
  EXPECT_TRUE(name_exists(closed / "echod.toml"));
}

TEST_F(ConfigFileOnDisk, IsReportedIfPermissionIsMissing) {
  if (geteuid() == 0) {
    GTEST_SKIP() << "root may read anything";
  }
  const std::string secret = write("secret.toml", "");
  std::filesystem::permissions(secret, std::filesystem::perms::none);
  EXPECT_EQ(errors_of_file(secret), (Lines{secret + ": cannot be read: Permission denied"}));
}

TEST_F(ConfigFileOnDisk, IsRefusedAboveOneMebibyte) {
  EXPECT_EQ(errors_of_file("/dev/zero"), (Lines{"/dev/zero: is larger than 1 MiB"}));
  const std::string fits = write("fits.toml", "#" + std::string((1 << 20) - 1, ' '));
  EXPECT_EQ(load_config_file(fits), Config{});
  const std::string large = write("large.toml", "#" + std::string(1 << 20, ' '));
  EXPECT_EQ(errors_of_file(large), (Lines{large + ": is larger than 1 MiB"}));
}

TEST_F(ConfigFileOnDisk, IsRefusedAtOnceIfItIsAPipe) {
  const std::string path = folder_.file("fifo");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const Lines errors = errors_of_file(path);
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_NE(errors.front().find("is a pipe"), std::string::npos) << errors.front();
}

TEST_F(ConfigFileOnDisk, MayBeAPipeWithALateWriterIfItIsReadOnce) {
  const std::string path = folder_.file("fifo");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const test::ChildProcess writer(
      {.arguments = {"sh", "-c", "echo '[turn]\nreads = 5' > \"$0\"", path}});
  EXPECT_EQ(load_config_file(path, Reading::once).turn.reads, 5U);
}

TEST_F(EffectiveConfig, IsReadFromTheFile) {
  EXPECT_EQ(effective_config(with_file("[turn]\nreads = 5\n")).turn.reads, 5U);
}

TEST_F(EffectiveConfig, FailsIfTheNamedFileIsMissing) {
  CommandLine options;
  options.config_file = path_ + ".missing";
  EXPECT_THROW((void)effective_config(options), ConfigErrors);
}

TEST_F(EffectiveConfig, ReportsABadValueInTheFileEvenIfItIsOverridden) {
  CommandLine options = with_file("[[listen]]\nport = -1\n");
  options.port = 7;
  EXPECT_THROW((void)effective_config(options), ConfigErrors);
}

TEST_F(EffectiveConfig, PrefersOverridesToTheFile) {
  CommandLine options =
      with_file("[log]\nfile = 'a'\nfile_level = 'info'\nstderr_level = 'info'\n");
  options.log_file = "";
  options.file_level = LogLevel::trace;
  options.stderr_level = LogLevel::off;
  const Config config = effective_config(options);
  EXPECT_EQ(config.log.file, "");
  EXPECT_EQ(config.log.file_level, LogLevel::trace);
  EXPECT_EQ(config.log.stderr_level, LogLevel::off);
}

TEST_F(EffectiveConfig, HasOneListenerWithTheRestOfTheFirstIfAddressOrPortIsGiven) {
  CommandLine options =
      with_file("[[listen]]\naddress = '192.0.2.1'\nport = 7\nbacklog = 5\n[[listen]]\nport = 8\n");
  EXPECT_EQ(effective_config(options).listen.size(), 2U);
  options.port = 9;
  Config config = effective_config(options);
  ASSERT_EQ(config.listen.size(), 1U);
  EXPECT_EQ(config.listen[0].address.text(), "192.0.2.1:9");
  EXPECT_EQ(config.listen[0].backlog, 5);
  options.port.reset();
  options.address = "::1";
  config = effective_config(options);
  ASSERT_EQ(config.listen.size(), 1U);
  EXPECT_EQ(config.listen[0].address.text(), "[::1]:7");
}

TEST_F(EffectiveConfig, ReportsAnAddressWhoseInterfaceHasGone) {
  CommandLine options = with_file("");
  options.address = "fe80::1%no-such-interface";
  try {
    (void)effective_config(options);
    FAIL();
  } catch (const ConfigErrors& errors) {
    ASSERT_EQ(errors.lines().size(), 1U);
    EXPECT_TRUE(errors.lines()[0].starts_with("--address: ")) << errors.lines()[0];
  }
}

}  // namespace
}  // namespace echod
