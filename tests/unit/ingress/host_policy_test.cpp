#include "ingress/host_policy.hpp"

#include <gtest/gtest.h>

namespace gondolin::ingress {
namespace {

TEST(HostPolicy, LoopbackNamesAndAddressesMayComeIn) {
  HostPolicy policy("127.0.0.1", {});
  for (std::string_view host : {"localhost", "localhost:8080", "LOCALHOST.", "app.localhost:1",
                                "127.0.0.1", "127.9.9.9:80", "[::1]:80"}) {
    EXPECT_TRUE(policy.allows_host(host)) << host;
  }
  for (std::string_view host :
       {"evil.example", "evil.example:80", "localhost.evil.example", "notlocalhost", "10.0.0.1",
        "127.0.0.1.evil.example", "0.0.0.0", ""}) {
    EXPECT_FALSE(policy.allows_host(host)) << host;
  }
}

TEST(HostPolicy, NamedHostsMayComeInToo) {
  HostPolicy policy("::1", {"dev.example", "fd00::1"});
  EXPECT_TRUE(policy.allows_host("DEV.example:80"));
  EXPECT_TRUE(policy.allows_host("[fd00::1]:80"));
  EXPECT_FALSE(policy.allows_host("sub.dev.example"));
}

TEST(HostPolicy, StarTurnsTheCheckOff) {
  HostPolicy policy("127.0.0.1", {"*"});
  EXPECT_TRUE(policy.allows_host("evil.example"));
  EXPECT_TRUE(policy.allows_origin("http://evil.example", "localhost"));
}

TEST(HostPolicy, OtherBindsCheckNoHost) {
  HostPolicy policy("0.0.0.0", {});
  EXPECT_TRUE(policy.allows_host("anything.example"));
  EXPECT_FALSE(policy.allows_origin("http://evil.example", "anything.example"));
}

TEST(HostPolicy, AnOriginMustBeOfTheRequestsHost) {
  HostPolicy policy("127.0.0.1", {"dev.example"});
  EXPECT_TRUE(policy.allows_origin("http://localhost:8080", "localhost:8080"));
  EXPECT_TRUE(policy.allows_origin("https://localhost:5173", "localhost:8080"));
  EXPECT_TRUE(policy.allows_origin("http://dev.example", "localhost:8080"));
  for (std::string_view origin : {"http://evil.example", "null", "", "http://127.0.0.1:8080"}) {
    EXPECT_FALSE(policy.allows_origin(origin, "localhost:8080")) << origin;
  }
}

TEST(HostPolicy, KnowsLoopbackHosts) {
  EXPECT_TRUE(is_loopback_host("127.0.0.1"));
  EXPECT_TRUE(is_loopback_host("::1"));
  EXPECT_TRUE(is_loopback_host("localhost"));
  EXPECT_FALSE(is_loopback_host("0.0.0.0"));
  EXPECT_FALSE(is_loopback_host("::"));
  EXPECT_FALSE(is_loopback_host("192.168.1.2"));
}

}  // namespace
}  // namespace gondolin::ingress
