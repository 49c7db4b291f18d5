// A gateway with hooks, opened through the public API, between plain sockets.
#pragma once

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gondolin/gateway.hpp"
#include "unit/ingress/wire.hpp"

namespace gondolin::testing {

using ingress::testing::Backend;
using ingress::testing::End;
using ingress::testing::Peer;

inline constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
inline constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

// A status line's number, "" if `head` is none.
inline std::string status_of(const std::string& head) {
  return head.starts_with("HTTP/1.1 ") ? head.substr(9, 3) : "";
}

class HooksTest : public ::testing::Test {
 protected:
  HooksTest() {
    std::string pattern = ::testing::TempDir() + "gondolin-hooks-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    write_routes("/ :" + std::to_string(backend_.port()));
  }
  ~HooksTest() override {
    ingress_.reset();
    std::filesystem::remove_all(directory_);
  }

  void write_routes(const std::string& text) const {
    std::ofstream(directory_ / "listeners") << text << "\n";
  }

  // Opens the gateway with the hooks and options set so far.
  void open() {
    GatewayOptions options{.listeners = directory_ / "listeners",
                           .ingress = options_,
                           .on_warning = {},
                           .debug = {.topics = "ingress", .sink = [this](auto, auto line) {
                                       std::lock_guard lock(log_mutex_);
                                       log_ += std::string(line) + "\n";
                                     }}};
    ingress_.emplace(open_gateway(std::move(options)));
  }

  IngressHooks& hooks() { return options_.hooks; }

  [[nodiscard]] Peer connect() const { return Peer::connect(ingress_->port()); }

  // Sends a request on a new connection.
  [[nodiscard]] Peer ask(std::string_view request = kGet) const {
    Peer client = connect();
    client.send(request);
    return client;
  }

  // Accepts the request that is on its way to the backend.
  struct Received {
    Peer peer;
    std::string head;
  };
  Received receive() {
    Received received{.peer = backend_.accept(), .head = {}};
    received.head = received.peer.read_head();
    return received;
  }

  // What the client is answered, its body included, when it asks for the connection to
  // be closed.
  [[nodiscard]] std::string answer(std::string_view request =
                                       "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: "
                                       "close\r\n\r\n") const {
    return ask(request).read_to_end();
  }

  // The debug log so far.
  std::string log() {
    std::lock_guard lock(log_mutex_);
    return log_;
  }

  IngressOptions options_;
  Backend backend_;
  std::filesystem::path directory_;
  std::mutex log_mutex_;
  std::string log_;
  std::optional<Ingress> ingress_;
};

}  // namespace gondolin::testing
