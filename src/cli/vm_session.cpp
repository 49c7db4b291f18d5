#include "cli/vm_session.hpp"

#include <unistd.h>

#include <cstdio>
#include <memory>
#include <utility>

#include "cli/image_progress.hpp"
#include "cli/notice.hpp"
#include "gondolin/error.hpp"
#include "gondolin/image.hpp"

namespace gondolin::cli {
namespace {

Accelerator parse_accelerator(const std::string& name) {
  return name == "kvm" ? Accelerator::kKvm : name == "tcg" ? Accelerator::kTcg : Accelerator::kAuto;
}

[[noreturn]] void refuse_mount(const std::string& value, const std::string& why) {
  throw CommandError("Invalid --mount value: " + value + " (" + why + ")");
}

// The guest's path begins at the last ":/", so that the host's may have colons in it, and has
// none: what stands behind one was meant as an option.
VfsMount parse_mount(const std::string& value) {
  std::string rest = value;
  VfsMount mount;
  if (rest.ends_with(":ro")) mount.access = VfsAccess::kReadOnly;
  if (rest.ends_with(":ro") || rest.ends_with(":rw")) rest.resize(rest.size() - 3);
  const std::size_t colon = rest.rfind(":/");
  if (colon == rest.npos || colon == 0) refuse_mount(value, "write HOST:/GUEST or HOST:/GUEST:ro");
  mount.path = rest.substr(colon + 1);
  if (mount.path.find(':') != mount.path.npos) {
    refuse_mount(value, "behind the guest's directory may be :ro or :rw");
  }
  try {
    mount.provider = std::make_shared<HostDirectory>(rest.substr(0, colon), mount.access);
  } catch (const ApiError& error) {
    refuse_mount(value, error.what());
  }
  return mount;
}

Ingress announce_gateway(Vm& vm, const IngressOptions& options) {
  Ingress ingress = vm.enable_ingress(options);
  if (std::string warning = ingress.bind_warning(); !warning.empty()) {
    print_notice("gondolin: warning: " + warning);
  }
  print_notice("Ingress enabled: " + ingress.url());
  print_notice("Configure routes by editing /etc/gondolin/listeners inside the VM.");
  return ingress;
}

}  // namespace

void add_vm_options(CLI::App& command, VmArguments& arguments) {
  command.add_option("--image", arguments.image, "Image to boot: a tag or an id")
      ->capture_default_str();
  command.add_option("--memory", arguments.memory_mib, "Memory of the guest in MiB")
      ->check(CLI::Range(128, 1048576))
      ->capture_default_str();
  command.add_option("--cpus", arguments.cpus, "Virtual CPUs")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  command
      .add_option_function<std::string>(
          "--accel",
          [&arguments](const std::string& name) {
            arguments.accelerator = parse_accelerator(name);
          },
          "auto (KVM where it works, else emulation), kvm or tcg")
      ->check(CLI::IsMember({"auto", "kvm", "tcg"}).description(""))
      ->type_name("ACCEL")
      ->default_str("auto");
  command.add_flag_callback(
      "--no-template", [&arguments] { arguments.start_from = StartFrom::kBoot; },
      "Boot the VM from the start instead of from its template");
  command.add_option("--env", arguments.environment, "Set a variable in the program's environment")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->take_all();
  command
      .add_option("--mount", arguments.mounts,
                  "Show the directory HOST of this machine at GUEST in the VM;\n"
                  "changes go both ways, unless :ro is behind it")
      ->type_name("HOST:GUEST[:ro]")
      ->expected(1)
      ->take_all();
  command.add_option("--cwd", arguments.cwd, "Directory to start the program in")
      ->type_name("PATH");
  command
      .add_option("--listen", arguments.listen,
                  "Open the ingress gateway on HOST:PORT, :PORT or PORT;\n"
                  "without a value on 127.0.0.1 and a free port")
      ->type_name("[HOST:PORT]")
      ->expected(0, 1);
  command
      .add_option("--ingress-host", arguments.ingress_hosts,
                  "Answer requests for this host name too; * for any")
      ->type_name("NAME")
      ->expected(1)
      ->take_all()
      ->needs("--listen");
  command.add_flag_callback(
      "--disable-websockets", [&arguments] { arguments.allow_websockets = false; },
      "Answer WebSocket upgrades with 501");
}

void append_behind_dashes(VmArguments& arguments, const Invocation& invocation) {
  arguments.command.insert(arguments.command.end(), invocation.behind_dashes.begin(),
                           invocation.behind_dashes.end());
}

std::optional<IngressOptions> ingress_options(const VmArguments& arguments) {
  if (!arguments.listen) return std::nullopt;
  IngressOptions options;
  options.listen = parse_listen_address(*arguments.listen);
  options.allow_websockets = arguments.allow_websockets;
  options.allowed_hosts = arguments.ingress_hosts;
  return options;
}

VmSession start_vm(const VmArguments& arguments, const std::optional<IngressOptions>& ingress,
                   const std::stop_token& cancel) {
  ImageProgressPrinter progress;
  ImageStore().ensure(arguments.image, progress.sink(), [&] { return cancel.stop_requested(); });
  progress.finish();

  VmOptions options;
  options.image = arguments.image;
  options.memory_mib = arguments.memory_mib;
  options.cpus = arguments.cpus;
  options.accelerator = arguments.accelerator;
  options.start_from = arguments.start_from;
  for (const std::string& value : arguments.mounts)
    options.mounts.push_back(parse_mount(value));
  options.on_event = [](const VmEvent& event) { print_notice("gondolin: " + event.message); };
  options.debug = debug_options_from_environment();
  options.cancel = cancel;

  VmSession session{.vm = Vm::create(std::move(options)), .ingress = std::nullopt};
  if (ingress) session.ingress = announce_gateway(session.vm, *ingress);
  return session;
}

ExecOptions exec_options(const VmArguments& arguments) {
  ExecOptions options;
  options.cwd = arguments.cwd;
  for (const std::string& entry : arguments.environment) {
    auto equals = entry.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw CommandError("Invalid --env value: " + entry + " (write NAME=VALUE)");
    }
    options.env[entry.substr(0, equals)] = entry.substr(equals + 1);
  }
  return options;
}

}  // namespace gondolin::cli
