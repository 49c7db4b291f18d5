// `gondolin`: the command line. It parses, calls one command, and turns whatever
// went wrong into one line and an exit status:
//   0 done, 1 the work failed, 2 the command line was not understood;
//   exec and bash pass on the exit status of the guest's program instead.

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "cli/notice.hpp"
#include "gondolin/error.hpp"
#include "gondolin/version.hpp"

namespace gondolin::cli {
namespace {

constexpr const char* kSeeHelp = "see gondolin --help";
constexpr const char* kSeeDashes = "what the guest is to run stands behind --";

int report(const std::exception& error) {
  print_error(error);
  return 1;
}

int report_usage(const std::string& message, const std::string& advice) {
  print_notice("gondolin: " + message + " (" + advice + ")");
  return 2;
}

// Whether the command is one that passes what stands behind "--" on to the guest.
bool runs_a_program(const std::vector<std::string>& arguments) {
  return !arguments.empty() && (arguments.front() == "exec" || arguments.front() == "bash");
}

// Takes a guest program's arguments aside: CLI11 drops the dashes behind an option whose
// value may be left out, and would then look for options in the guest's command.
// Returns the rest as CLI11 wants it, last first.
std::vector<std::string> arguments_before_dashes(int argc, char** argv, Invocation& invocation) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  if (runs_a_program(arguments)) {
    auto dashes = std::find(arguments.begin(), arguments.end(), "--");
    if (dashes != arguments.end()) {
      invocation.behind_dashes.assign(dashes + 1, arguments.end());
      arguments.erase(dashes, arguments.end());
    }
  }
  std::reverse(arguments.begin(), arguments.end());
  return arguments;
}

int run(int argc, char** argv) {
  CLI::App app("Micro-VM sandboxes whose HTTP servers open in your browser.", "gondolin");
  app.set_version_flag("--version", std::string("gondolin ") + kVersion);
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "Print the help of every command and exit");
  app.footer(
      "`gondolin COMMAND --help` explains a command. GONDOLIN_DEBUG=protocol (or ingress, vfs,\n"
      "exec, all; a comma list) prints what happens, line by line, on stderr.");

  Invocation invocation;
  add_bash_command(app, invocation);
  add_exec_command(app, invocation);
  add_gateway_command(app, invocation);
  add_image_command(app, invocation);
  add_template_command(app);
  add_doctor_command(app, invocation);

  const bool dashes_are_missing =
      runs_a_program({argv + 1, argv + argc}) && invocation.behind_dashes.empty();
  try {
    app.parse(arguments_before_dashes(argc, argv, invocation));
  } catch (const CLI::Success& done) {
    return app.exit(done);
  } catch (const CLI::ExtrasError& error) {
    return report_usage(error.what(), dashes_are_missing ? kSeeDashes : kSeeHelp);
  } catch (const CLI::ParseError& error) {
    return report_usage(error.what(), kSeeHelp);
  } catch (const UsageError& error) {
    return report_usage(error.what(), kSeeHelp);
  } catch (const ApiError& error) {
    return report(error);
  } catch (const CommandError& error) {
    return report(error);
  }
  return invocation.exit_code;
}

// What was printed may still be on its way; a full disk must not pass for success.
int flush_output(int status) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return status;
  std::fprintf(stderr, "gondolin: cannot write the output: %s\n", std::strerror(errno));
  return status == 0 ? 1 : status;
}

}  // namespace
}  // namespace gondolin::cli

int main(int argc, char** argv) {
  try {
    return gondolin::cli::flush_output(gondolin::cli::run(argc, argv));
  } catch (const std::exception& error) {
    gondolin::cli::print_error(error);
    return 1;
  }
}
