// The fixture of tests of an echod that listens on a UNIX socket, in a directory of the test.
#pragma once

#include <sys/stat.h>

#include <string>

#include "files.hpp"
#include "upgrade_fixture.hpp"

namespace echod::test {

class LocalFixture : public UpgradeFixture {
 protected:
  // `more` are further keys of the [[listen]], and what follows it.
  [[nodiscard]] std::string config(const std::string& more = "") const {
    return "[[listen]]\npath = \"" + path_ + "\"\n" + more;
  }
  DaemonProcess& start_local(const std::string& more = "") { return start_with(config(more)); }
  DaemonProcess& start_with(const std::string& config) {
    return start_replaceable(DaemonOptions{
        .config = config, .environment = {"RUNTIME_DIRECTORY=" + directory_.path().string()}});
  }
  [[nodiscard]] TcpPeer connect_local(const PeerOptions& options = {}) const {
    return TcpPeer(path_, options);
  }
  [[nodiscard]] std::string admin_path() const { return directory_.file("admin.sock"); }
  [[nodiscard]] struct stat status() const {
    struct stat status {};
    EXPECT_EQ(lstat(path_.c_str(), &status), 0) << path_;
    return status;
  }
  [[nodiscard]] mode_t mode() const { return status().st_mode & 07777U; }
  [[nodiscard]] bool is_there() const { return std::filesystem::exists(path_); }

  const TemporaryDirectory directory_;
  const std::string path_ = directory_.file("echo.sock");
};

}  // namespace echod::test
