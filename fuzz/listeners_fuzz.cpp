// fuzz: ingress
// The listeners file: whatever a guest writes is parsed without a fault, a good
// file's canonical text means the same and is its own canonical text, and a path is
// only ever routed by a prefix of it.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.hpp"
#include "ingress/listeners_file.hpp"
#include "ingress/router.hpp"

using namespace gondolin;
using namespace gondolin::ingress;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto listeners = parse_listeners(text);
  if (!listeners) {
    GONDOLIN_CHECK(!listeners.error().message.empty());
    return 0;
  }
  auto again = parse_listeners(listeners->canonical);
  // The canonical text may outgrow the limit that its source just kept.
  if (again) {
    GONDOLIN_CHECK(again->routes == listeners->routes);
    GONDOLIN_CHECK(again->canonical == listeners->canonical);
  } else {
    GONDOLIN_CHECK(listeners->canonical.size() > kMaxListenersBytes);
  }
  const Router router(listeners->routes);
  for (const Route& route : router.routes()) {
    const Route* found = router.match(route.prefix);
    GONDOLIN_CHECK(found != nullptr && found->prefix == route.prefix);
    const std::string below = route.prefix + "/below";
    found = router.match(below);
    GONDOLIN_CHECK(found != nullptr && below.starts_with(found->prefix));
    GONDOLIN_CHECK(forwarded_path(*found, below).starts_with('/'));
  }
  return 0;
}
