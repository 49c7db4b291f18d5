// /etc/gondolin in the guest: every way people and editors change the file.

#include <chrono>

#include <gtest/gtest.h>

#include "support/shared_vm.hpp"

namespace gondolin::test {
namespace {

using Routes = std::vector<IngressRoute>;

class ListenersFile : public testing::Test {
 protected:
  // Runs `script` in the guest; the table must then be `routes` within 100 ms.
  void expect_routes_after(const std::string& script, const Routes& routes) {
    CommandResult done = vm_.guest(script);
    EXPECT_EQ(done.status, 0) << script << ": " << done.errors;
    EXPECT_TRUE(eventually([&] { return vm_.ingress().routes() == routes; },
                           std::chrono::milliseconds(100)))
        << script << "\n"
        << vm_.guest("cat /etc/gondolin/status").output;
  }

  SharedVm& vm_ = shared_vm();
};

TEST_F(ListenersFile, EveryKindOfEditIsInForceWithin100Milliseconds) {
  const std::string file = "/etc/gondolin/listeners";
  expect_routes_after("echo '/ :8000' > " + file, Routes{{"/", 8000}});
  expect_routes_after("echo '/api :9000' >> " + file, Routes{{"/", 8000}, {"/api", 9000}});
  expect_routes_after("echo '/c :1' > /root/new && cp /root/new " + file, Routes{{"/c", 1}});
  expect_routes_after("echo '/m :2' > /root/new && mv /root/new " + file, Routes{{"/m", 2}});
  expect_routes_after("echo '/r :4' > /etc/gondolin/new && mv /etc/gondolin/new " + file,
                      Routes{{"/r", 4}});
  expect_routes_after("sed -i 's/:4/:5/' " + file, Routes{{"/r", 5}});
  expect_routes_after("vim.tiny -N -u NONE -c ':%s/:5/:6/' -c ':wq' " + file + " </dev/null",
                      Routes{{"/r", 6}});
  expect_routes_after("truncate -s 0 " + file, Routes{});
  expect_routes_after("printf '/t :7\\n/u :8\\n' > " + file, Routes{{"/t", 7}, {"/u", 8}});
  expect_routes_after("rm " + file, Routes{});
  expect_routes_after("echo '/back :9 strip_prefix=false' > " + file, Routes{{"/back", 9, false}});
}

TEST_F(ListenersFile, ABadFileLeavesTheLastGoodTableAndStatusNamesTheLine) {
  vm_.route({{"/", 8000}});
  expect_routes_after("printf '/ :8000\\n\\n/x :80x\\n' > /etc/gondolin/listeners",
                      Routes{{"/", 8000}});
  CommandResult status = vm_.guest("cat /etc/gondolin/status");
  EXPECT_NE(status.output.find("line 3: invalid port ':80x' (1-65535)"), std::string::npos)
      << status.output;
}

TEST_F(ListenersFile, CommentsAndUnknownOptionsSurviveTheRewrite) {
  expect_routes_after("printf '# mine\\n/a/ :1 color=blue # why\\n' > /etc/gondolin/listeners",
                      Routes{{"/a", 1}});
  EXPECT_EQ(vm_.guest("cat /etc/gondolin/listeners").output, "# mine\n/a\t:1\tcolor=blue\t# why\n");
}

TEST_F(ListenersFile, MoreThan64KiBIsRefusedAndTheTableStays) {
  vm_.route({{"/", 8000}});
  CommandResult big = vm_.guest("head -c 70000 /dev/zero | tr '\\0' '#' > /etc/gondolin/listeners");
  EXPECT_NE(big.errors.find("File too large"), std::string::npos) << big.errors;
  EXPECT_EQ(vm_.ingress().routes(), (Routes{{"/", 8000}}));
}

TEST_F(ListenersFile, StatusCannotBeChangedAndTheDirectoryLooksLikeOne) {
  CommandResult write = vm_.guest("echo x > /etc/gondolin/status");
  EXPECT_NE(write.status, 0);
  EXPECT_NE(vm_.guest("rm -f /etc/gondolin/status").status, 0);
  CommandResult list = vm_.guest("ls -la /etc/gondolin");
  EXPECT_NE(list.output.find("-rw-r--r-- 1 root root"), std::string::npos) << list.output;
  EXPECT_NE(list.output.find("-r--r--r-- 1 root root"), std::string::npos) << list.output;
  CommandResult df = vm_.guest("df /etc/gondolin");
  EXPECT_EQ(df.status, 0) << df.errors;
  EXPECT_NE(df.output.find("/etc/gondolin"), std::string::npos) << df.output;
}

TEST_F(ListenersFile, RoutesCanBeSetFromTheHost) {
  Routes routes{{"/", 8000}, {"/api", 9000, false}};
  vm_.ingress().set_routes(routes);
  EXPECT_EQ(vm_.ingress().routes(), routes);
  EXPECT_EQ(vm_.guest("cat /etc/gondolin/listeners").output,
            "/\t:8000\n/api\t:9000\tstrip_prefix=false\n");
}

}  // namespace
}  // namespace gondolin::test
