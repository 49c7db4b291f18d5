// The debug log: one line per event, by topic.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace gondolin {

// What is logged, and where to.
struct DebugOptions {
  // A comma list of "protocol", "ingress", "vfs", "exec" or "all", as in the
  // environment variable GONDOLIN_DEBUG. Empty turns the log off.
  std::string topics;
  // Gets each line without a newline, control bytes made visible. Called on the
  // library's own threads, possibly several at once; it must not block and must
  // not call back into the library.
  std::function<void(std::string_view topic, std::string_view line)> sink;
};

}  // namespace gondolin
