// Backends in the guest: where they listen, and what happens while they do not.

#include <thread>

#include <gtest/gtest.h>

#include "support/shared_vm.hpp"

namespace gondolin::test {
namespace {

std::string status_of(SharedVm& vm, const std::string& path) {
  return vm.curl(path, {"-o", "/dev/null", "-w", "%{http_code}"}).output;
}

TEST(Backends, AreReachedOn127001AndOnAnyAddressAndOnIPv6LoopbackAlone) {
  SharedVm& vm = shared_vm();
  vm.upload("backend.py");
  vm.serve("python /root/backend.py 127.0.0.1 7001", 7001);
  vm.serve("python /root/backend.py 0.0.0.0 7002", 7002);
  vm.serve("python /root/backend.py ::1 7003", 7003);
  vm.route({{"/four", 7001}, {"/any", 7002}, {"/six", 7003}});
  EXPECT_EQ(vm.curl("/four/a").output, "/a");
  EXPECT_EQ(vm.curl("/any/b").output, "/b");
  EXPECT_EQ(vm.curl("/six/c").output, "/c");
}

TEST(Backends, ThatAreNotThereAre502AndServeOnceTheyAre) {
  SharedVm& vm = shared_vm();
  vm.upload("backend.py");
  vm.route({{"/", 7010}});
  EXPECT_EQ(status_of(vm, "/"), "502");
  vm.serve("python /root/backend.py 127.0.0.1 7010", 7010);
  EXPECT_EQ(status_of(vm, "/"), "200");
}

TEST(Backends, ThatAreNotThereGetAPageThatNamesWhatListens) {
  SharedVm& vm = shared_vm();
  vm.upload("backend.py");
  vm.serve("python /root/backend.py 127.0.0.1 7011", 7011);
  vm.route({{"/app", 7012}});
  const std::string page = vm.curl("/app/", {"-H", "Accept: text/html"}).output;
  EXPECT_NE(page.find("leads to port 7012"), std::string::npos) << page;
  const auto ports = page.find("Ports with a listening server: ");
  ASSERT_NE(ports, std::string::npos) << page;
  EXPECT_NE(page.find("7011", ports), std::string::npos) << page;
  EXPECT_EQ(vm.curl("/app/").output, "bad gateway\n");
}

TEST(Backends, PythonsFileServerAnswersGetAndHead) {
  SharedVm& vm = shared_vm();
  ASSERT_EQ(
      vm.guest("mkdir -p /root/site && echo 'hello from the guest' > /root/site/index.html").status,
      0);
  vm.serve("python -m http.server 7020 --directory /root/site", 7020);
  vm.route({{"/", 7020}});
  EXPECT_EQ(vm.curl("/").output, "hello from the guest\n");
  CommandResult head = vm.curl("/", {"--head"});
  EXPECT_EQ(head.status, 0) << head.errors;
  EXPECT_NE(head.output.find("HTTP/1.1 200 OK"), std::string::npos) << head.output;
  EXPECT_NE(head.output.find("21"), std::string::npos) << head.output;
}

TEST(Backends, WithoutARouteAre404) {
  SharedVm& vm = shared_vm();
  vm.route({{"/only", 7001}});
  EXPECT_EQ(status_of(vm, "/other"), "404");
}

TEST(Backends, FiftyRequestsAtOnceAreAllAnswered) {
  SharedVm& vm = shared_vm();
  vm.upload("backend.py");
  vm.serve("python /root/backend.py 127.0.0.1 7030", 7030);
  vm.route({{"/", 7030}});
  std::vector<std::string> outputs(50);
  {
    std::vector<std::jthread> clients;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      clients.emplace_back([&, i] { outputs[i] = vm.curl("/slow").output; });
    }
  }
  for (const std::string& output : outputs)
    EXPECT_EQ(output, "/slow");
}

}  // namespace
}  // namespace gondolin::test
