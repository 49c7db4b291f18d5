// `gondolin bash`: an interactive shell, or another program, on a terminal of a
// new VM.

#include "cli/commands.hpp"
#include "cli/guest_program.hpp"
#include "cli/terminal.hpp"

namespace gondolin::cli {

void add_bash_command(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("bash", "Open a shell in a new VM");
  auto arguments = std::make_shared<VmArguments>();
  add_vm_options(*command, *arguments);
  command->add_option("CMD", arguments->command,
                      "What to run instead of bash (or sh, where there is no bash), behind --");
  command->footer(
      "Ctrl-C goes to the program in the VM, Ctrl-] leaves and ends the VM.\n"
      "Example: gondolin bash --listen :8008");
  command->callback([arguments, &invocation] {
    append_behind_dashes(*arguments, invocation);
    std::vector<std::vector<std::string>> programs = {{"bash"}, {"sh"}};
    if (!arguments->command.empty()) programs = {arguments->command};
    invocation.exit_code = run_guest_program(
        *arguments, programs, on_terminal() ? Foreground::kTerminal : Foreground::kPipes);
  });
}

}  // namespace gondolin::cli
