#include "service/config_loader.hpp"

#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "config/config_errors.hpp"
#include "sys/process.hpp"

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
  } catch (const std::bad_alloc&) {  // From read(), or from storing its errors.
    return {};
  }
  return result;
}

}  // namespace

ConfigLoader::ConfigLoader(EventLoop& loop, std::function<Config()> read,
                           std::function<void(LoadedConfig)> on_loaded)
    : read_(std::move(read)),
      on_loaded_(std::move(on_loaded)),
      on_read_(loop, [this] { on_read(); }) {}

ConfigLoader::~ConfigLoader() {
  if (thread_.joinable()) {
    thread_.join();
  }
}

void ConfigLoader::load() noexcept {
  if (is_loading_) {
    is_next_load_pending_ = true;
    return;
  }
  is_loading_ = true;
  try {
    thread_ = std::thread([this] {
      sys::name_this_thread("config");
      result_ = result_of(read_);
      on_read_.notify();
    });
  } catch (const std::system_error& error) {
    result_ = result_of([&error]() -> Config {
      throw std::runtime_error(
          std::string("cannot start the thread that reads the configuration: ") + error.what());
    });
    on_read_.notify();
  } catch (const std::bad_alloc&) {
    result_ = {};
    on_read_.notify();
  }
}

// The join is immediate: notify() is the last call that the thread makes.
void ConfigLoader::on_read() noexcept {
  if (thread_.joinable()) {
    thread_.join();
  }
  is_loading_ = false;
  on_loaded_(std::exchange(result_, LoadedConfig{}));
  if (std::exchange(is_next_load_pending_, false)) {
    load();
  }
}

}  // namespace echod
