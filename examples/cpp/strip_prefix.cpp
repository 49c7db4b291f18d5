// A stripped prefix: the guest's server believes that it is at "/", and is shown at "/app".
// Where it redirects to, and the paths of its cookies, are rewritten on the way out.

#include <algorithm>
#include <cctype>
#include <chrono>
#include <iostream>

#include <gondolin/vm.hpp>

namespace {

constexpr char kServer[] = R"(
from http.server import *
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == '/home':
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'home\n')
        else:
            self.send_response(302)
            self.send_header('Location', '/home')
            self.send_header('Set-Cookie', 'session=1; Path=/; HttpOnly')
            self.send_header('Set-Cookie', 'theme=dark; path=/home')
            self.end_headers()
ThreadingHTTPServer(('127.0.0.1', 8000), Handler).serve_forever()
)";

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

// A path on the server as the browser must see it. "//host" is no path.
std::string under_prefix(const std::string& path, const std::string& prefix) {
  const bool is_path = path.starts_with('/') && !path.starts_with("//");
  return is_path ? prefix + path : path;
}

// The cookie with its Path attribute below the prefix.
std::string move_cookie(const std::string& cookie, const std::string& prefix) {
  std::string moved;
  for (std::size_t begin = 0; begin <= cookie.size();) {
    const std::size_t end = std::min(cookie.find(';', begin), cookie.size());
    std::string part = cookie.substr(begin, end - begin);
    const std::size_t name = part.find_first_not_of(' ');
    const std::size_t equals = part.find('=');
    if (begin > 0 && equals != part.npos && name < equals &&
        equal_ignoring_case(std::string_view(part).substr(name, equals - name), "path")) {
      part = part.substr(0, equals + 1) + under_prefix(part.substr(equals + 1), prefix);
    }
    moved += (begin > 0 ? ";" : "") + part;
    begin = end + 1;
  }
  return moved;
}

gondolin::IngressResponsePatch on_response(const gondolin::IngressResponse& response,
                                           const gondolin::IngressRequest& request) {
  gondolin::IngressResponsePatch patch;
  const std::string& prefix = request.route.prefix;
  if (prefix == "/" || !request.route.strip_prefix) return patch;
  if (auto location = response.header("Location")) {
    patch.set_header("Location", under_prefix(std::string(*location), prefix));
  }
  gondolin::IngressHeaderChange cookies{.name = "Set-Cookie", .values = {}};
  for (const gondolin::IngressHeader& header : response.headers) {
    if (equal_ignoring_case(header.name, "set-cookie"))
      cookies.values.push_back(move_cookie(header.value, prefix));
  }
  if (!cookies.values.empty()) patch.headers.push_back(cookies);
  return patch;
}

}  // namespace

int main() try {
  gondolin::ImageStore().ensure();
  gondolin::Vm vm = gondolin::Vm::create({});
  gondolin::Process server = vm.exec({.argv = {"python3", "-c", kServer}});
  vm.wait_for_port(8000, std::chrono::seconds(60));

  gondolin::IngressOptions options;
  options.hooks.on_response = on_response;
  gondolin::Ingress ingress = vm.enable_ingress(options);
  vm.set_ingress_routes({{.prefix = "/app", .port = 8000}});
  std::cout << "Open " << ingress.url() << "/app/ and press Enter here to end." << std::endl;
  std::cin.get();
} catch (const gondolin::ApiError& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
