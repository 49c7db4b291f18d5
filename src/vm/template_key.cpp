#include "vm/template_key.hpp"

#include <sys/stat.h>

#include <fstream>
#include <string_view>

#include <fmt/format.h>

#include "vm/accelerator.hpp"
#include "vm/digest.hpp"
#include "wire/frame.hpp"

namespace gondolin::vm {
namespace {

// Part of every key: changes with what a template is or how it is taken.
constexpr int kFormat = 5;

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// What the processor can do, as the kernel tells it of the first one.
std::string processor_flags() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line) && !line.empty();)
    if (line.starts_with("flags")) return line;
  return {};
}

// Which content a file has, without reading it.
std::string identity(std::string_view role, const std::filesystem::path& file) {
  struct stat status{};
  if (::stat(file.c_str(), &status) != 0)
    return fmt::format("{} {} missing\n", role, file.string());
  return fmt::format("{} {} {}:{} {} {}.{:09}\n", role, file.string(), status.st_dev, status.st_ino,
                     status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

}  // namespace

HostFacts host_facts(const std::filesystem::path& qemu) {
  return {.boot = first_line("/proc/sys/kernel/random/boot_id"),
          .system = verdict_key(qemu),
          .processor_flags = processor_flags()};
}

TemplateKey template_key(const std::filesystem::path& qemu, MachineOptions machine,
                         const HostFacts& host) {
  machine.tsc_khz.reset();
  machine.memory_file.reset();
  TemplateKey key;
  key.text = fmt::format("template {} protocol {}\n", kFormat, wire::kProtocolVersion);
  key.text += "host boot " + host.boot + "\n";
  key.text += host.system + "\n" + host.processor_flags + "\n";
  key.text += identity("qemu", qemu);
  key.text += identity("kernel", machine.kernel);
  key.text += identity("initramfs", machine.initramfs);
  key.text += identity("root", machine.root);
  for (const std::string& argument : qemu_arguments(machine))
    key.text += argument + "\n";
  key.id = sha256(key.text);
  return key;
}

}  // namespace gondolin::vm
