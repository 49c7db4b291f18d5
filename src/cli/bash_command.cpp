#include "cli/commands.hpp"

namespace gondolin::cli {

void add_bash_command(CLI::App& app, Invocation& invocation) {
  static_cast<void>(app);
  static_cast<void>(invocation);
}

}  // namespace gondolin::cli
