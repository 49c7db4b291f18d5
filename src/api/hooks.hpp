// The public hooks as the gateway takes them.
#pragma once

#include <memory>

#include "api/hook_threads.hpp"
#include "gondolin/hooks.hpp"
#include "ingress/hooks.hpp"

namespace gondolin::api {

// Checks that at most one form of each hook is set, and max_threads. Throws
// kInvalidArgument.
void check_hooks(const IngressHooks& hooks);

// Plain forms run on `threads`.
[[nodiscard]] ingress::Hooks to_gateway_hooks(const IngressHooks& hooks,
                                              const std::shared_ptr<HookThreads>& threads);

}  // namespace gondolin::api
