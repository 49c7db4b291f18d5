// Allow by path: of the guest's server, everybody may see /public, those with the token
// also /reports, and nobody the rest.

#include <chrono>
#include <iostream>

#include <gondolin/vm.hpp>

namespace {

constexpr char kSite[] =
    "mkdir -p site/public site/reports && echo hello > site/public/index.html && "
    "echo figures > site/reports/index.html && echo secret > site/key && "
    "cd site && exec python3 -m http.server 8000";

// Whether `path` is `folder` or something in it.
bool within(const std::string& path, const std::string& folder) {
  return path.starts_with(folder) &&
         (path.size() == folder.size() || path[folder.size()] == '/' || path[folder.size()] == '?');
}

bool is_allowed(const gondolin::IngressRequest& request) {
  // What the server decodes, this program does not: a path that can be read in two ways
  // is refused.
  if (request.path.find('%') != std::string::npos) return false;
  if (within(request.path, "/public")) return true;
  if (!within(request.path, "/reports")) return false;
  if (request.header("Authorization") == "Bearer open-sesame") return true;
  throw gondolin::IngressRequestBlockedError("no token for " + request.path, 401, "",
                                             "a token, please\n");
}

}  // namespace

int main() try {
  gondolin::ImageStore().ensure();
  gondolin::Vm vm = gondolin::Vm::create({});
  gondolin::Process server = vm.exec({.argv = {"sh", "-c", kSite}});
  vm.wait_for_port(8000, std::chrono::seconds(60));

  gondolin::IngressOptions options;
  options.hooks.is_allowed = is_allowed;
  gondolin::Ingress ingress = vm.enable_ingress(options);
  vm.set_ingress_routes({{.prefix = "/", .port = 8000}});
  std::cout << "Open " << ingress.url() << "/public/ and press Enter here to end." << std::endl;
  std::cin.get();
} catch (const gondolin::ApiError& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
