// Ties a guest's /etc/gondolin to the routing table: what the guest writes into
// `listeners` comes into force, `status` says what is in force, and the canonical
// text goes back into the file where nobody is at work in it.
//
// Belongs to the VM's event-loop thread.
#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/steady_timer.hpp>

#include "base/debug_log.hpp"
#include "ingress/route_table.hpp"
#include "io/stream.hpp"
#include "vfs/config_directory.hpp"

namespace gondolin::api {

class GuestConfig {
 public:
  // `log` must outlive the object.
  GuestConfig(const asio::any_io_executor& executor, const DebugLog& log);
  GuestConfig(const GuestConfig&) = delete;
  GuestConfig& operator=(const GuestConfig&) = delete;

  // Drops what it has on the event loop. To be called before the loop is destroyed;
  // nothing else may be called after it.
  void detach() { missing_.reset(); }

  [[nodiscard]] vfs::Provider& files() { return files_; }
  [[nodiscard]] const ingress::RouteTable& routes() const { return routes_; }

  // `callback` is called after each change of what routes() says; an empty one no more.
  void on_routes_change(std::function<void()> callback) { routes_.on_change(std::move(callback)); }

  // Writes the file anew with these routes and puts them in force. kRefused while
  // somebody in the guest has the file open for writing.
  [[nodiscard]] Status set_routes(const std::vector<ingress::Route>& routes);

 private:
  void on_change(const vfs::ListenersSnapshot& snapshot);
  void apply(const vfs::ListenersSnapshot& snapshot);

  const DebugLog& log_;
  vfs::ConfigDirectory files_;
  ingress::RouteTable routes_;
  std::optional<asio::steady_timer>
      missing_;  // runs while the file is gone and that does not count yet
};

}  // namespace gondolin::api
