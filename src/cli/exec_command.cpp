// `gondolin exec`: one program in a new VM.

#include "cli/commands.hpp"
#include "cli/guest_program.hpp"

namespace gondolin::cli {

void add_exec_command(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("exec", "Run one program in a new VM");
  auto arguments = std::make_shared<VmArguments>();
  add_vm_options(*command, *arguments);
  command->add_option("CMD", arguments->command, "The program and its arguments, behind --");
  command->footer(
      "Standard input, output and error are the program's, and so is the exit status\n"
      "(128 plus the signal, if one ended it; 127 if there is no such program).\n"
      "Example: gondolin exec --cwd /tmp -- sh -c 'echo hello; exit 7'");
  command->callback([arguments, &invocation] {
    append_behind_dashes(*arguments, invocation);
    invocation.exit_code = run_guest_program(*arguments, {arguments->command}, Foreground::kPipes);
  });
}

}  // namespace gondolin::cli
