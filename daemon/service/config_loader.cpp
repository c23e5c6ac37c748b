#include "service/config_loader.hpp"

#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "config/config_errors.hpp"

namespace echod {

namespace {

template <typename Load>
LoadedConfig result_of(const Load& load) noexcept {
  try {
    try {
      return load();
    } catch (const ConfigErrors& errors) {
      return {.errors = errors.lines()};
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& error) {
      return {.errors = {error.what()}};
    }
  } catch (const std::bad_alloc&) {  // From load(), or from storing its errors.
    return {};
  }
}

}  // namespace

ConfigLoader::ConfigLoader(EventLoop& loop, std::function<std::string(ReloadMode)> program_change,
                           std::function<Config()> read,
                           std::function<void(LoadedConfig)> on_loaded)
    : program_change_(std::move(program_change)),
      read_(std::move(read)),
      on_loaded_(std::move(on_loaded)),
      on_not_started_(loop, [this] { on_read(); }),
      task_(loop, "config", [this] { on_read(); }) {}

void ConfigLoader::load(ReloadMode mode) noexcept {
  if (is_loading_) {
    next_load_ = merged(next_load_, mode);
    return;
  }
  is_loading_ = true;
  mode_ = mode;
  try {
    task_.start([this, mode] {
      result_ = result_of([this, mode] {
        LoadedConfig loaded{.program_change = program_change_(mode)};
        if (loaded.program_change.empty()) {
          loaded.config = read_();
        }
        return loaded;
      });
    });
  } catch (const std::system_error& error) {
    result_ = result_of([&error]() -> LoadedConfig {
      throw std::runtime_error(
          std::string("cannot start the thread that reads the configuration: ") + error.what());
    });
    on_not_started_.notify();
  } catch (const std::bad_alloc&) {
    result_ = {};
    on_not_started_.notify();
  }
}

void ConfigLoader::on_read() noexcept {
  is_loading_ = false;
  result_.mode = mode_;
  on_loaded_(std::exchange(result_, LoadedConfig{}));
  if (const auto next = std::exchange(next_load_, std::nullopt)) {
    load(*next);
  }
}

}  // namespace echod
