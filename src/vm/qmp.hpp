// A minimal client of QEMU's control protocol, QMP: JSON objects, one a line.
//
// QEMU could have been taken over by its guest, so what it says is bounded in length
// and checked, and never more than an answer or an event.
//
// One event-loop thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <nlohmann/json_fwd.hpp>

#include "base/result.hpp"
#include "base/unique_fd.hpp"
#include "io/stream.hpp"

namespace gondolin::vm {

class Qmp {
 public:
  // The longest line that is read, in bytes.
  static constexpr std::size_t kMaxLine = 256 * 1024;

  // Hears every event: its name ("SHUTDOWN") and data. Called from the loop.
  using EventSink = std::function<void(const std::string& name, const nlohmann::json& data)>;

  // Speaks over `socket`, a connected stream socket. Commands wait for the greeting
  // and the negotiation of capabilities, which begin at once.
  Qmp(const boost::asio::any_io_executor& executor, UniqueFd socket, EventSink on_event);
  Qmp(const Qmp&) = delete;
  Qmp& operator=(const Qmp&) = delete;
  ~Qmp();

  // Runs a command and gives what it returns. kTimeout when `deadline` passes first,
  // kIo with QEMU's own words when it failed, kReset when QEMU has gone away or
  // broken the protocol. Several may be in progress.
  [[nodiscard]] Awaitable<Result<nlohmann::json>> execute(std::string command,
                                                          nlohmann::json arguments,
                                                          std::chrono::milliseconds deadline);

  // The same for a command that takes a file: `file` goes to QEMU with it.
  [[nodiscard]] Awaitable<Result<nlohmann::json>> execute(std::string command,
                                                          nlohmann::json arguments, UniqueFd file,
                                                          std::chrono::milliseconds deadline);

  // Sends a command whose answer nobody waits for: what follows it fails if it does.
  void post(const std::string& command, nlohmann::json arguments);

  // Ends the connection; commands in progress return kReset.
  void close();

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace gondolin::vm
