#include "support/shared_vm.hpp"

#include <array>
#include <fstream>
#include <iterator>
#include <memory>
#include <thread>

#include <gtest/gtest.h>

namespace gondolin::test {
namespace {

std::unique_ptr<SharedVm>& instance() {
  static std::unique_ptr<SharedVm> vm;
  return vm;
}

std::string read_all(Process& process, std::size_t (Process::*read)(std::span<std::byte>)) {
  std::string text;
  std::array<std::byte, 32 * 1024> buffer;
  while (std::size_t count = (process.*read)(buffer)) {
    text.append(reinterpret_cast<const char*>(buffer.data()), count);
  }
  return text;
}

}  // namespace

SharedVm& shared_vm() {
  if (!instance()) instance() = std::make_unique<SharedVm>();
  return *instance();
}

void close_shared_vm() {
  instance().reset();
}

SharedVm::SharedVm() {
  ImageStoreOptions store{.store = {}, .guest_dir = GONDOLIN_GUEST_PROGRAMS};
  ImageStore(store).ensure();
  VmOptions options;
  options.image_store = store;
  options.on_event = [this](const VmEvent& event) {
    std::lock_guard lock(mutex_);
    events_.push_back(event.message);
  };
  vm_.emplace(Vm::create(std::move(options)));
  ingress_.emplace(vm_->enable_ingress({}));
}

CommandResult SharedVm::guest(const std::string& script, const std::string& input) {
  ExecOptions options;
  options.argv = {"sh", "-c", script};
  Process process = vm_->exec(options);
  CommandResult result;
  std::jthread errors([&] { result.errors = read_all(process, &Process::read_stderr); });
  std::jthread feed([&] {
    if (!input.empty()) static_cast<void>(process.write_stdin(std::as_bytes(std::span(input))));
    process.close_stdin();
  });
  result.output = read_all(process, &Process::read_stdout);
  result.status = process.wait().shell_status();
  errors.join();
  feed.join();
  return result;
}

void SharedVm::upload(const std::string& name) {
  std::ifstream file(std::string(GONDOLIN_TEST_DATA) + "/" + name, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  ASSERT_FALSE(text.empty()) << name;
  ASSERT_EQ(guest("cat > /root/" + name, text).status, 0);
}

void SharedVm::serve(const std::string& command, int port) {
  ExecOptions options;
  options.argv = {"sh", "-c", "exec " + command + " >/dev/null 2>&1"};
  servers_.push_back(vm_->exec(options));
  CommandResult up = guest("for i in $(seq 600); do ss -Htln \"sport = :" + std::to_string(port) +
                           "\" | grep -q . && exit 0; sleep 0.1; done; exit 1");
  ASSERT_EQ(up.status, 0) << command << " never listened on " << port;
}

void SharedVm::route(const std::vector<IngressRoute>& routes) {
  std::string text;
  for (const IngressRoute& entry : routes) {
    text += entry.prefix + " :" + std::to_string(entry.port);
    text += entry.strip_prefix ? "\n" : " strip_prefix=false\n";
  }
  CommandResult done = guest("cat > /etc/gondolin/listeners", text);
  ASSERT_EQ(done.status, 0) << done.errors;
  ASSERT_TRUE(eventually([&] { return ingress_->routes() == routes; }));
}

CommandResult SharedVm::curl(const std::string& path, std::vector<std::string> options) {
  std::vector<std::string> argv = {"curl", "--silent", "--show-error", "--max-time", "100"};
  argv.insert(argv.end(), options.begin(), options.end());
  argv.push_back(ingress_->url() + path);
  return run(argv);
}

std::vector<std::string> SharedVm::events() {
  std::lock_guard lock(mutex_);
  return events_;
}

}  // namespace gondolin::test
