// Quick start: a VM, a program in it, a web server in it, open in your browser.

#include <chrono>
#include <iostream>

#include <gondolin/vm.hpp>

int main() try {
  gondolin::ImageStore().ensure();  // builds the guest image the first time, in a minute
  gondolin::Vm vm = gondolin::Vm::create({});

  gondolin::RunResult result = vm.run({.argv = {"uname", "-sr"}});
  std::cout << "The guest runs " << result.output;

  gondolin::Process server =
      vm.exec({.argv = {"python3", "-m", "http.server", "8000"}, .cwd = "/etc"});
  vm.wait_for_port(8000, std::chrono::seconds(60));

  gondolin::Ingress ingress = vm.enable_ingress({});
  vm.set_ingress_routes({{.prefix = "/", .port = 8000}});
  std::cout << "Open " << ingress.url() << " and press Enter here to end." << std::endl;
  std::cin.get();
} catch (const gondolin::ApiError& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
