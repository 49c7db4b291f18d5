// What is behind an Ingress: the gateway of a VM or of a listeners file. And the
// conversions between the public options and the gateway's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "api/hook_threads.hpp"
#include "gondolin/ingress.hpp"
#include "ingress/gateway.hpp"
#include "ingress/router.hpp"

namespace gondolin {

class Ingress::Impl {
 public:
  explicit Impl(const IngressHooks& hooks);
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  // Waits for hooks that block; whoever derives has closed the gateway by then.
  virtual ~Impl();

  virtual std::vector<IngressRoute> routes() const = 0;
  virtual void set_routes(const std::vector<IngressRoute>& routes) = 0;
  virtual void close() = 0;

  // The address bound; set once, before the Ingress is given out.
  ListenAddress bound;
  // For blocking hooks; closed by Ingress::close().
  const std::shared_ptr<api::HookThreads> hook_threads;
};

// Checks the ranges of `options`. Throws kInvalidArgument.
[[nodiscard]] ingress::GatewayConfig to_gateway_config(const IngressOptions& options);

// Checks prefixes, ports and the size of the file. Throws kInvalidArgument.
[[nodiscard]] std::vector<ingress::Route> to_routes(const std::vector<IngressRoute>& routes);
[[nodiscard]] std::vector<IngressRoute> from_routes(const std::vector<ingress::Route>& routes);

}  // namespace gondolin
