// A question about the connections of a worker, or an order to some of them, from another thread.
//
// Thread-safety: made by another thread, which hands it to Worker::inquire(). From then on it
// belongs to the worker's thread, until end() is called.
#pragma once

namespace echod {

class Connection;

class ConnectionInquiry {
 public:
  ConnectionInquiry() noexcept = default;
  ConnectionInquiry(const ConnectionInquiry&) = delete;
  ConnectionInquiry& operator=(const ConnectionInquiry&) = delete;
  virtual ~ConnectionInquiry() = default;

  // Called for each connection, in slices (connection_visit.hpp). Must not block.
  virtual void visit(Connection& connection) noexcept = 0;
  // Called after the last connection.
  virtual void end() noexcept = 0;
};

}  // namespace echod
