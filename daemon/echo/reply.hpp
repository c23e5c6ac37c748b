// Bytes that were received from a peer and are not sent back yet. They are in a block of memory
// (buffer_pool.hpp) or in a pipe (pipe_pool.hpp); the connection that owes them need not know
// which.
//
// Thread-safety: belongs to its worker's thread.
#pragma once

#include <cstddef>
#include <memory>

#include "sys/io_result.hpp"

namespace echod {

struct ParkedConnection;

class Reply {
 public:
  // Returns the block or the pipe to its pool.
  struct Return {
    void operator()(Reply* reply) const noexcept { reply->give_back(); }
  };

  virtual ~Reply() = default;
  Reply(const Reply&) = delete;
  Reply& operator=(const Reply&) = delete;

  // Bytes that are still to be sent.
  [[nodiscard]] virtual std::size_t size() const noexcept = 0;
  // Sends as much as the kernel accepts. If size() is not 0 after a success, the send buffer of the
  // socket is full. An error may come after some bytes were sent; size() is what is left.
  virtual sys::IoResult send(int socket) noexcept = 0;
  // Sets the members of `parked` that describe the bytes. The reply keeps them.
  virtual void describe(ParkedConnection& parked) noexcept = 0;

 protected:
  Reply() noexcept = default;

 private:
  virtual void give_back() noexcept = 0;
};

using ReplyPtr = std::unique_ptr<Reply, Reply::Return>;

}  // namespace echod
