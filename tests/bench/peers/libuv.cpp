// Echo with libuv: one loop, all reads into one buffer, followed by uv_try_write, as Node does it.
// Bytes that it does not take are copied for uv_write, and reading stops until they are sent. (The
// echo server of libuv's guide allocates 64 KiB for each read, and its queue has no limit.)
// Limits: up to 32 reads of 128 KiB in a row for one connection, so a flood delays the others.
#include <uv.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "peer_socket.hpp"

namespace {

struct Client {
  uv_tcp_t tcp{};  // First, so that the handle has the address of its Client.
  uv_write_t write{};
  std::vector<char> unsent;
};

void check(int status, const char* what) {
  if (status < 0) {
    (void)std::fprintf(stderr, "%s: %s\n", what, uv_strerror(status));
    std::exit(EXIT_FAILURE);
  }
}

Client* client_of(void* handle) {
  return static_cast<Client*>(handle);
}

void on_closed(uv_handle_t* handle) {
  delete client_of(handle);
}

void close_client(Client* client) {
  auto* handle = reinterpret_cast<uv_handle_t*>(&client->tcp);
  if (uv_is_closing(handle) == 0) {
    uv_close(handle, on_closed);
  }
}

// One buffer is enough: libuv passes it to on_read before it asks for the next.
void on_allocate(uv_handle_t* /*handle*/, std::size_t /*suggested_size*/, uv_buf_t* buffer) {
  static std::array<char, peers::kBufferSize> bytes;
  *buffer = uv_buf_init(bytes.data(), bytes.size());
}

void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer);

void on_written(uv_write_t* request, int status) {
  if (status < 0) {
    close_client(client_of(request->handle));
  } else {
    uv_read_start(request->handle, on_allocate, on_read);
  }
}

void write_later(uv_stream_t* stream, const char* bytes, std::size_t size) {
  Client* client = client_of(stream);
  client->unsent.assign(bytes, bytes + size);
  const uv_buf_t buffer =
      uv_buf_init(client->unsent.data(), static_cast<unsigned int>(client->unsent.size()));
  uv_read_stop(stream);
  uv_write(&client->write, stream, &buffer, 1, on_written);
}

void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
  if (size > 0) {
    const uv_buf_t reply = uv_buf_init(buffer->base, static_cast<unsigned int>(size));
    const int result = uv_try_write(stream, &reply, 1);
    const ssize_t written = result == UV_EAGAIN ? 0 : result;
    if (written < 0) {
      close_client(client_of(stream));
    } else if (written < size) {
      write_later(stream, buffer->base + written, static_cast<std::size_t>(size - written));
    }
  } else if (size < 0) {  // UV_EOF or an error. Nothing is unsent, because reading stops while
                          // something is.
    close_client(client_of(stream));
  }
}

void on_connection(uv_stream_t* server, int status) {
  if (status < 0) {
    return;
  }
  auto* client = new Client;
  auto* stream = reinterpret_cast<uv_stream_t*>(&client->tcp);
  uv_tcp_init(server->loop, &client->tcp);
  if (uv_accept(server, stream) != 0) {
    close_client(client);
    return;
  }
  uv_tcp_nodelay(&client->tcp, 1);
  uv_read_start(stream, on_allocate, on_read);
}

}  // namespace

int main(int argc, char** argv) {
  const sockaddr_in address = peers::address_argument(argc, argv);
  peers::raise_open_files();
  (void)std::signal(SIGPIPE, SIG_IGN);
  uv_loop_t* loop = uv_default_loop();
  uv_tcp_t server;
  uv_tcp_init(loop, &server);
  check(uv_tcp_bind(&server, reinterpret_cast<const sockaddr*>(&address), 0), "bind");
  check(uv_listen(reinterpret_cast<uv_stream_t*>(&server), peers::kBacklog, on_connection),
        "listen");
  return uv_run(loop, UV_RUN_DEFAULT);
}
