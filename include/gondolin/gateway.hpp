// The ingress gateway without a VM: routes to this machine's own loopback, by a
// listeners file of this machine. For trying a table, containers, tests and
// benchmarks.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "gondolin/debug.hpp"
#include "gondolin/export.hpp"
#include "gondolin/ingress.hpp"

namespace gondolin {

// Of a gateway without a VM.
struct GatewayOptions {
  // The listeners file, which must be named. It may come and go: no file means no routes.
  // Its directory must exist.
  std::filesystem::path listeners;
  IngressOptions ingress;  // as for the gateway of a VM
  // Gets a sentence whenever the file changes into one that is refused, or that
  // holds something odd. Called on the gateway's thread (at first, on the caller's).
  std::function<void(const std::string& message)> on_warning;
  DebugOptions debug;  // off by default
};

// Binds, starts serving on a thread of its own, and reloads the file within 100 ms
// of every change. kInvalidArgument for options out of range, kFailed when the
// address cannot be bound or the directory not be watched.
[[nodiscard]] GONDOLIN_API Ingress open_gateway(GatewayOptions options);

}  // namespace gondolin
