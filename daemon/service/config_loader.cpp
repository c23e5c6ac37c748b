#include "config_loader.hpp"

#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "config_errors.hpp"
#include "process.hpp"

namespace echod {

namespace {

template <typename Read>
LoadedConfig result_of(const Read& read) noexcept {
  LoadedConfig result;
  try {
    try {
      result.config = read();
    } catch (const ConfigErrors& errors) {
      result.errors = errors.lines();
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& error) {
      result.errors = {error.what()};
    }
  } catch (const std::bad_alloc&) {  // Maybe there was not even enough to say what was wrong.
    return {};
  }
  return result;
}

}  // namespace

ConfigLoader::ConfigLoader(EventLoop& loop, std::function<Config()> read,
                           std::function<void(LoadedConfig)> on_loaded)
    : read_(std::move(read)),
      on_loaded_(std::move(on_loaded)),
      notifier_(loop, [this] { tell_result(); }) {}

ConfigLoader::~ConfigLoader() {
  if (thread_.joinable()) {
    thread_.join();
  }
}

void ConfigLoader::load() noexcept {
  std::unique_lock lock(mutex_);
  if (is_loading_) {
    is_wanted_again_ = true;
    return;
  }
  is_loading_ = true;
  result_.reset();  // Of a load that has just ended: this one follows it.
  lock.unlock();
  LoadedConfig refused;
  try {
    if (thread_.joinable()) {
      thread_.join();
    }
    thread_ = std::thread([this] { run(); });
    return;
  } catch (const std::system_error& error) {
    refused = result_of([&error]() -> Config {
      throw std::runtime_error(
          std::string("cannot start the thread that reads the configuration: ") + error.what());
    });
  } catch (const std::bad_alloc&) {
    refused = {};  // There is not enough memory.
  }
  lock.lock();
  end(std::move(refused));
}

// With the lock.
void ConfigLoader::end(LoadedConfig result) noexcept {
  is_loading_ = false;
  result_ = std::move(result);
  done_.notify_all();
  notifier_.notify();
}

bool ConfigLoader::finish(std::chrono::milliseconds patience) noexcept {
  std::unique_lock lock(mutex_);
  return done_.wait_for(lock, patience, [this] { return !is_loading_; });
}

void ConfigLoader::run() noexcept {
  sys::name_this_thread("config");
  for (;;) {
    LoadedConfig loaded = result_of(read_);
    const std::scoped_lock lock(mutex_);
    if (!std::exchange(is_wanted_again_, false)) {
      end(std::move(loaded));
      return;
    }
  }
}

void ConfigLoader::tell_result() noexcept {
  std::unique_lock lock(mutex_);
  std::optional<LoadedConfig> result = std::exchange(result_, std::nullopt);
  lock.unlock();
  if (!result) {
    return;  // load() was called since.
  }
  if (thread_.joinable()) {
    thread_.join();
  }
  on_loaded_(std::move(*result));
}

}  // namespace echod
