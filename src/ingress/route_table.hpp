// The routing table in force, and how it came to be.
//
// Whoever watches a listeners file hands its text here. A good text becomes the
// table at once; a bad one leaves the last good table in force and is reported.
// Requests share an immutable Router, so a change never disturbs one in flight.
//
// Belongs to one event-loop thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/debug_log.hpp"
#include "ingress/router.hpp"

namespace gondolin::ingress {

class RouteTable {
 public:
  // What an update did, for whoever owns the file.
  struct Outcome {
    // "line 3: …" when the text was refused.
    std::optional<std::string> error;
    std::vector<std::string> warnings;
    // What the file should read, when that differs from what it reads. Written
    // back only if the file was not edited since (the caller knows its version).
    std::optional<std::string> canonical;
  };

  // `log` (topic ingress) must outlive the table.
  explicit RouteTable(const DebugLog& log);

  // The file now reads `text`. A text equal to the last one changes nothing.
  Outcome update(std::string_view text);
  // There is no file now: no routes.
  Outcome remove();

  // Never null. Hold on to it for as long as routes of it are in use.
  [[nodiscard]] const std::shared_ptr<const Router>& router() const { return router_; }
  // Counts the tables that were in force, from 0 for the empty one at the start.
  [[nodiscard]] std::uint64_t generation() const { return generation_; }
  // Why the last text was refused; none if it is in force.
  [[nodiscard]] const std::optional<std::string>& error() const { return error_; }

  // What is odd about the text in force: "line 4: …".
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

  // What /etc/gondolin/status reads: generation, routes, last error, warnings.
  [[nodiscard]] std::string status_text() const;

  // Called after each change of what status_text() says.
  void on_change(std::function<void()> callback) { on_change_ = std::move(callback); }

 private:
  void replace(Listeners listeners);
  void changed() const;

  const DebugLog& log_;
  std::shared_ptr<const Router> router_ = std::make_shared<const Router>();
  std::uint64_t generation_ = 0;
  std::optional<std::string> last_text_;
  std::optional<std::string> error_;
  std::vector<std::string> warnings_;
  std::function<void()> on_change_;
};

// The routes as aligned lines "/api  :9000", "/ :8000 strip_prefix=false", for the
// status file and for error pages; "" if there are none.
[[nodiscard]] std::string describe_routes(const Router& router);

}  // namespace gondolin::ingress
