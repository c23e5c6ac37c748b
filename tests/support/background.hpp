// Runs work in a second thread while the test does something else. An exception of the work ends
// the test case, not the process.
#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <thread>
#include <utility>

namespace echod::test {

class Background {
 public:
  // Starts `work`, which must return soon after `is_over` becomes true.
  explicit Background(std::function<void(const std::atomic<bool>& is_over)> work)
      : thread_([this, work = std::move(work)] {
          try {
            work(is_over_);
          } catch (...) {
            failure_ = std::current_exception();
          }
        }) {}
  ~Background() { stop(); }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // Asks the work to end and waits until it has. Rethrows the exception of the work, if any.
  void finish() {
    stop();
    if (failure_) {
      std::rethrow_exception(std::exchange(failure_, nullptr));
    }
  }

 private:
  void stop() {
    is_over_ = true;
    if (thread_.joinable()) {
      thread_.join();
    }
  }

  std::atomic<bool> is_over_ = false;
  std::exception_ptr failure_;
  std::thread thread_;
};

}  // namespace echod::test
