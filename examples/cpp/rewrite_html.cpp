// Buffer and rewrite: every HTML page of the guest's server gets a banner. What is no page
// streams through as it is, whatever its size.

#include <chrono>
#include <iostream>

#include <gondolin/vm.hpp>

namespace {

constexpr char kSite[] =
    "mkdir -p site && cd site && echo '<html><body><p>Hello.</p></body></html>' > index.html && "
    "head -c 5000000 /dev/zero > large.bin && exec python3 -m http.server 8000";
constexpr char kBanner[] = "<p><b>This page comes from a sandbox.</b></p>";

bool is_page(const std::string& path) {
  return path.ends_with('/') || path.find(".html") != std::string::npos;
}

// Only what may be a page is held back until it is complete, and as text, not compressed.
gondolin::IngressRequestPatch on_request(const gondolin::IngressRequest& request) {
  gondolin::IngressRequestPatch patch;
  if (!is_page(request.path)) return patch;
  patch.buffer_response_body = true;
  patch.remove_header("Accept-Encoding");
  return patch;
}

gondolin::IngressResponsePatch on_response(const gondolin::IngressResponse& response,
                                           const gondolin::IngressRequest&) {
  gondolin::IngressResponsePatch patch;
  if (!response.body || !response.header("Content-Type").value_or("").starts_with("text/html"))
    return patch;
  std::string page = *response.body;
  const std::size_t body = page.find("<body>");
  if (body == std::string::npos) return patch;
  page.insert(body + 6, kBanner);
  patch.body = std::move(page);
  patch.remove_header("ETag");  // it names the page as it was
  return patch;
}

}  // namespace

int main() try {
  gondolin::ImageStore().ensure();
  gondolin::Vm vm = gondolin::Vm::create({});
  gondolin::Process server = vm.exec({.argv = {"sh", "-c", kSite}});
  vm.wait_for_port(8000, std::chrono::seconds(60));

  gondolin::IngressOptions options;
  options.hooks.on_request = on_request;
  options.hooks.on_response = on_response;
  gondolin::Ingress ingress = vm.enable_ingress(options);
  vm.set_ingress_routes({{.prefix = "/", .port = 8000}});
  std::cout << "Open " << ingress.url() << " and press Enter here to end." << std::endl;
  std::cin.get();
} catch (const gondolin::ApiError& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
