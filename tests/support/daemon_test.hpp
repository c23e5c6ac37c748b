// The fixture of the integration tests: one daemon, which DaemonProcess::finish() checks at the end
// of every case.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "daemon_process.hpp"
#include "deadline.hpp"
#include "echo_pump.hpp"
#include "tcp_peer.hpp"

namespace echod::test {

class DaemonTest : public testing::Test {
 protected:
  DaemonProcess& start(const DaemonOptions& options) {
    daemon_ = std::make_unique<DaemonProcess>(options);
    return *daemon_;
  }
  DaemonProcess& start(const std::string& config = "") {
    return start(DaemonOptions{.config = config});
  }

  // Runs a pump, and has many bytes wait in the daemon's receive queue when it begins to read them:
  // the daemon is frozen until all buffers are full.
  void pump_against_full_queue(TcpPeer& peer, PumpPlan plan) {
    plan.reads = false;
    std::vector<EchoPump> pumps;
    pumps.emplace_back(peer, plan);
    daemon().freeze();
    send_until_blocked(pumps);
    daemon().thaw();
    pumps.front().read_now();
    run_pumps(pumps);
  }

  // Connects until there are `count` peers, half of them on each of the two workers. With fewer
  // than 32, the workers get equal shares, unless one has not answered a wake-up for 100 ms and is
  // skipped: then replaces peers.
  void fill_equally(std::vector<TcpPeer>& peers, std::size_t count) {
    const auto add = [&] {
      peers.push_back(connect());
      EXPECT_TRUE(peers.back().echoes("hello"));
    };
    while (peers.size() < count) {
      add();
    }
    wait_until("equal shares", [&] {
      if (daemon().counter("connections_of_fullest_worker") == count / 2) {
        return true;
      }
      peers.erase(peers.begin());
      add();
      return false;
    });
  }

  [[nodiscard]] DaemonProcess& daemon() { return *daemon_; }
  [[nodiscard]] TcpPeer connect(const PeerOptions& options = {}) {
    return TcpPeer("127.0.0.1", daemon().port(), options);
  }

  void TearDown() override {
    if (daemon_ && !daemon_->is_finished() && daemon_->child().is_running()) {
      daemon_->thaw();  // A test that fails may leave it frozen.
      daemon_->finish();
    } else if (daemon_ && !daemon_->is_finished()) {
      daemon_->finish_stopped();
    }
  }

 private:
  std::unique_ptr<DaemonProcess> daemon_;
};

}  // namespace echod::test
