// What an Exchange keeps when hooks look at it.
#pragma once

#include <cstddef>

#include "ingress/core.hpp"
#include "ingress/hook_call.hpp"
#include "ingress/hooks.hpp"

namespace gondolin::ingress {

struct Hooked {
  explicit Hooked(const Core& core)
      : call(core.parts.executor, core.mailbox),
        buffering(core.config.buffering),
        max_buffered(core.config.max_buffered) {}

  HookCall call;
  HookRequest request;
  Buffering buffering;
  std::size_t max_buffered;  // bytes
};

}  // namespace gondolin::ingress
