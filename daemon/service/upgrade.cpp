#include "service/upgrade.hpp"

#include <memory>
#include <new>
#include <system_error>
#include <utility>

#include "service/restored_workers.hpp"
#include "service/state_file.hpp"
#include "sys/memory_file.hpp"
#include "sys/prepared_exec.hpp"
#include "upgrade/program_environment.hpp"
#include "upgrade/state_writer.hpp"

namespace echod {

namespace {

std::chrono::milliseconds milliseconds_now() noexcept {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      sys::MonotonicClock::now().time_since_epoch());
}

}  // namespace

Upgrade::Upgrade(EventLoop& loop, Workers& workers, const ProgramFile& program, Hooks hooks)
    : workers_(workers),
      loop_(loop),
      program_(program),
      hooks_(std::move(hooks)),
      parked_(loop, [this] { on_parked(); }),
      deadline_(loop.timers(), [this] { on_deadline(); }),
      check_(loop, "upgrade", [this] { on_checked(); }) {}

void Upgrade::begin() noexcept {
  if (is_in_progress() || check_.is_running()) {
    return;
  }
  phase_ = Phase::checking;
  attempt(&Upgrade::start_check);
}

void Upgrade::attempt(void (Upgrade::*step)()) noexcept {
  try {
    (this->*step)();
  } catch (const std::bad_alloc&) {
    fail(Result::failed, {});
  } catch (const std::exception& error) {
    fail(Result::failed, error.what());
  }
}

void Upgrade::start_check() {
  UpgradeState state;
  state.service = hooks_.describe();
  state.service.workers = states_of(workers_);
  auto file = std::make_shared<sys::MemoryFile>("echod-check");
  write_state(state, *file);
  file->seal();
  checked_ = {};
  check_.start([this, file] {
    try {
      checked_ = check_program(program_, file->fd(), kCheckTime, cancel_check_.fd());
    } catch (const std::exception& error) {
      checked_.refusal = error.what();  // Short enough not to allocate, if memory ran out.
    }
  });
}

void Upgrade::on_checked() noexcept {
  if (phase_ != Phase::checking) {  // Cancelled.
    phase_ = Phase::idle;
    deadline_.cancel();
    return;
  }
  if (!checked_.refusal.empty()) {
    fail(Result::refused, std::move(checked_.refusal));
    return;
  }
  phase_ = Phase::parking;
  park_began_ = milliseconds_now();
  deadline_.expire_at(loop_.now() + kParkTime);
  workers_.park();
}

void Upgrade::on_parked() noexcept {
  if (phase_ != Phase::parking || !workers_.are_parked()) {
    return;
  }
  attempt(&Upgrade::replace);
}

// Returns only by an exception.
void Upgrade::replace() {
  ServiceState service = hooks_.describe();
  service.config_text = std::move(checked_.configuration);
  service.pause_began_ms = static_cast<std::uint64_t>(park_began_.count());
  service.workers = states_of(workers_);
  const StateFile file(std::move(service), workers_);
  const sys::PreparedExec program(program_.path(), program_.arguments(),
                                  upgrade_environment(file.fd()));
  hooks_.before_exec();
  throw std::system_error(sys::replace_program(program, file.descriptors()), std::system_category(),
                          "execve " + program_.path());
}

void Upgrade::fail(Result result, std::string why) noexcept {
  phase_ = Phase::idle;
  deadline_.cancel();
  workers_.unpark();
  hooks_.on_failed(result, std::move(why));
}

void Upgrade::on_deadline() noexcept {
  if (phase_ == Phase::cancelling) {
    phase_ = Phase::idle;
  } else {
    fail(Result::failed,
         "a worker did not stop within " + std::to_string(kParkTime.count()) + " s");
  }
}

void Upgrade::cancel() noexcept {
  if (!is_in_progress()) {
    return;
  }
  workers_.unpark();
  if (check_.is_running()) {
    phase_ = Phase::cancelling;
    cancel_check_.signal();
    deadline_.expire_at(loop_.now() + kCancelTime);
  } else {
    phase_ = Phase::idle;
    deadline_.cancel();
  }
}

}  // namespace echod
