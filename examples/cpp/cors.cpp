// CORS: pages of one other origin may call the guest's server, which knows nothing of that.

#include <chrono>
#include <iostream>

#include <gondolin/vm.hpp>

namespace {

constexpr char kOrigin[] = "http://localhost:5173";

gondolin::IngressResponsePatch on_response(const gondolin::IngressResponse&,
                                           const gondolin::IngressRequest& request) {
  gondolin::IngressResponsePatch patch;
  patch.set_header("Vary", "Origin");
  if (request.header("Origin") != kOrigin) return patch;
  patch.set_header("Access-Control-Allow-Origin", kOrigin);
  if (request.method == "OPTIONS" && request.header("Access-Control-Request-Method")) {
    // A browser asks before it sends: answered here, whatever the server said.
    patch.status = 204;
    patch.set_header("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE");
    patch.set_header("Access-Control-Allow-Headers", "Content-Type");
    patch.set_header("Access-Control-Max-Age", "600");
  }
  return patch;
}

}  // namespace

int main() try {
  gondolin::ImageStore().ensure();
  gondolin::Vm vm = gondolin::Vm::create({});
  gondolin::Process server = vm.exec({.argv = {"python3", "-m", "http.server", "8000"}});
  vm.wait_for_port(8000, std::chrono::seconds(60));

  gondolin::IngressOptions options;
  options.hooks.on_response = on_response;
  gondolin::Ingress ingress = vm.enable_ingress(options);
  vm.set_ingress_routes({{.prefix = "/", .port = 8000}});
  std::cout << "Open " << ingress.url() << " and press Enter here to end." << std::endl;
  std::cin.get();
} catch (const gondolin::ApiError& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
