// The fixture of the tests of an upgrade in place: an echod that runs a copy of the binary. A test
// replaces the copy, or the configuration, and echod goes on as another program.
#pragma once

#include <gtest/gtest.h>

#include <csignal>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "daemon_test.hpp"
#include "deadline.hpp"
#include "files.hpp"

namespace echod::test {

class UpgradeFixture : public DaemonTest {
 protected:
  static constexpr const char* kUpgraded = " has replaced echod ";
  static constexpr int kReloadRefused = 78;  // Exit code of `echod --reload`.

  DaemonProcess& start_replaceable(DaemonOptions options = {}) {
    options.has_own_program = true;
    return start(options);
  }
  DaemonProcess& start_replaceable(const std::string& config) {
    return start_replaceable(DaemonOptions{.config = config});
  }

  // Replaces the program by rename(2), as a package manager does.
  void replace_program(const std::string& other = ECHOD_BINARY) {
    const std::string copy = daemon().directory().file("echod.new");
    std::filesystem::copy_file(other, copy, std::filesystem::copy_options::overwrite_existing);
    std::filesystem::rename(copy, daemon().program_path());
  }
  void replace_program_by_script(const std::string& commands) {
    const std::string script = daemon().directory().file("echod.script");
    write_file(script, "#!/bin/sh\n" + commands + '\n');
    std::filesystem::permissions(script, std::filesystem::perms::owner_all);
    std::filesystem::rename(script, daemon().program_path());
  }
  // Replaces the configuration so that echod never reads a part of it.
  void write_config(const std::string& config) {
    const std::string copy = daemon().directory().file("echod.toml.new");
    write_file(copy, config);
    std::filesystem::rename(copy, daemon().config_path());
  }

  // Waits until the program has been replaced `upgrades_` times, after one more.
  void wait_for_upgrade() { (void)daemon().wait_for_err(kUpgraded, ++upgrades_); }
  // Upgrades because the program has changed.
  void upgrade_program() {
    replace_program();
    daemon().signal(SIGHUP);
    wait_for_upgrade();
  }
  // Upgrades because a key has changed that echod cannot apply in place.
  void upgrade_to(const std::string& config) {
    write_config(config);
    daemon().signal(SIGHUP);
    wait_for_upgrade();
  }
  // Returns the exit code of `echod --reload`, which waits until the daemon has answered.
  [[nodiscard]] int request_reload() {
    return run_echod({"--reload", std::to_string(daemon().pid())}).exit_code;
  }
  // Opens connections until log lines about them were dropped. Needs a short queue.
  void make_it_drop_log_lines() {
    daemon().allow_log("log lines were dropped");
    wait_until("a line to be dropped", [this] {
      std::vector<TcpPeer> peers;
      daemon().freeze();
      for (int i = 0; i < 300; ++i) {
        peers.push_back(connect());
      }
      daemon().thaw();
      EXPECT_TRUE(peers.back().echoes("hello"));
      return daemon().counter("log_lines_dropped") > 0;
    });
  }
  // Ends a daemon that may have more listeners or workers than at its start.
  void stop_daemon() {
    daemon().signal(SIGTERM);
    daemon().finish_stopped();
  }

  std::size_t upgrades_ = 0;  // That wait_for_upgrade() has seen.
};

}  // namespace echod::test
