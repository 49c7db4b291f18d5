// `gondolin template …`: shows and removes the booted guests that VMs are copies of.

#include <cstdio>
#include <memory>
#include <string>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/human_size.hpp"
#include "gondolin/template.hpp"

namespace gondolin::cli {
namespace {

constexpr std::size_t kShortId = 12;

void add_ls(CLI::App& group) {
  CLI::App* command = group.add_subcommand("ls", "List the templates");
  command->callback([] {
    const auto templates = list_templates();
    if (templates.empty()) {
      fmt::print(stderr, "There are no templates yet: the first `gondolin exec` makes one.\n");
      return;
    }
    fmt::print("{:<12} {:<12} {:<12} {:<5} {:>10} {:>4} {:>10}  {}\n", "ID", "KERNEL", "ROOT",
               "ACCEL", "MEMORY", "CPUS", "SIZE", "LAST USED (UTC)");
    for (const TemplateInfo& each : templates) {
      fmt::print("{:<12} {:<12} {:<12} {:<5} {:>6} MiB {:>4} {:>10}  {:%Y-%m-%d %H:%M}\n",
                 each.id.substr(0, kShortId), each.kernel.substr(0, kShortId),
                 each.root.substr(0, kShortId),
                 each.accelerator == Accelerator::kKvm ? "kvm" : "tcg", each.memory_mib, each.cpus,
                 human_size(each.size),
                 fmt::gmtime(std::chrono::system_clock::to_time_t(each.last_used)));
    }
  });
}

void add_rm(CLI::App& group) {
  CLI::App* command =
      group.add_subcommand("rm", "Remove a template, or all; they are made anew when needed");
  auto id = std::make_shared<std::string>();
  auto all = std::make_shared<bool>(false);
  auto* name =
      command->add_option("id", *id, "An id, or at least 6 digits of one")->type_name("ID");
  command->add_flag("--all", *all, "Remove every template")->excludes(name);
  command->callback([id, all] {
    if (id->empty() && !*all) throw UsageError("template rm: name a template, or --all");
    const std::uint64_t freed = *all ? remove_templates() : remove_template(*id);
    fmt::print(stderr, "Freed {}.\n", human_size(freed));
  });
}

}  // namespace

void add_template_command(CLI::App& app) {
  CLI::App* group =
      app.add_subcommand("template", "Show and remove the booted guests that VMs are copies of");
  group->require_subcommand(1);
  group->footer(
      "The first VM of an image boots and is kept as a template; later ones start from it in a\n"
      "tenth of a second, each with entropy, clock and identity of its own.");
  add_ls(*group);
  add_rm(*group);
}

}  // namespace gondolin::cli
