// Authorities and origins, as the Host and Origin policies read them.
#include "http/authority.hpp"

#include <gtest/gtest.h>

namespace gondolin::http {
namespace {

Authority authority(std::string_view text) {
  const auto parsed = parse_authority(text);
  EXPECT_TRUE(parsed) << text;
  return parsed.value_or(Authority{});
}

bool same_page(std::string_view origin, std::string_view host) {
  const auto parsed = parse_origin(origin);
  return parsed && same_authority(*parsed, authority(host));
}

TEST(Authority, IsHostKindAndPort) {
  EXPECT_EQ(authority("a.example:8080"), (Authority{"a.example", HostKind::kName, 8080}));
  EXPECT_EQ(authority("a.example"), (Authority{"a.example", HostKind::kName, std::nullopt}));
  EXPECT_EQ(authority("a:"), (Authority{"a", HostKind::kName, std::nullopt}));
  EXPECT_EQ(authority("127.0.0.1:1"), (Authority{"127.0.0.1", HostKind::kIpv4, 1}));
  EXPECT_EQ(authority("[::1]:65535"), (Authority{"::1", HostKind::kIpv6, 65535}));
  EXPECT_EQ(authority("[::1]:"), (Authority{"::1", HostKind::kIpv6, std::nullopt}));
  EXPECT_EQ(authority("[::]"), (Authority{"::", HostKind::kIpv6, std::nullopt}));
  EXPECT_EQ(authority("127.1").kind, HostKind::kName);
  EXPECT_EQ(authority("0x7f.0.0.1").kind, HostKind::kName);
  EXPECT_EQ(authority("1.2.3.256").kind, HostKind::kName);
}

TEST(Authority, RefusesWhatIsNone) {
  for (std::string_view text :
       {"",       ":",       ":80",    "a:b",       "a:+1",     "a:65536", "a:1:2",
        "u@a",    "a/b",     "a b",    "a\t",       "[]",       "[",       "[::1",
        "[::1]]", "[::1]80", "[v1.x]", "[1.2.3.4]", "[::1%lo]", "::1",     "a%",
        "a%4",    "a%4g",    "a\"",    "<a>",       "\xff",     "a^b",     "[0:0:0:0:0:0:0:0:1]",
        "[::1]:x"}) {
    EXPECT_FALSE(parse_authority(text)) << text;
  }
}

TEST(Authority, KnowsLoopback) {
  for (std::string_view text :
       {"localhost", "LOCALHOST:80", "localhost.", "a.localhost", "a.b.LocalHost.", "127.0.0.1",
        "127.255.255.254:9", "[::1]", "[0:0::1]:80", "[::ffff:127.0.0.1]", "[::ffff:7f01:203]"}) {
    EXPECT_TRUE(is_loopback(authority(text))) << text;
  }
  for (std::string_view text : {"localhost.example.com", "notlocalhost", "xlocalhost", ".localhost",
                                "127.0.0.1.nip.io", "127.1", "128.0.0.1", "0.0.0.0", "10.0.0.1",
                                "[::]", "[::2]", "[::127.0.0.1]", "[::ffff:128.0.0.1]", "[fe80::1]",
                                "local%68ost", "0127.0.0.1", "2130706433", "localhost.."}) {
    EXPECT_FALSE(is_loopback(authority(text))) << text;
  }
}

TEST(Authority, ComparesHostsByMeaning) {
  EXPECT_TRUE(same_host(authority("A.example:1"), authority("a.EXAMPLE.:2")));
  EXPECT_TRUE(same_host(authority("[::1]"), authority("[0:0:0:0:0:0:0:1]:80")));
  EXPECT_TRUE(same_host(authority("127.0.0.1"), authority("127.0.0.1:80")));
  EXPECT_FALSE(same_host(authority("a.example"), authority("b.example")));
  EXPECT_FALSE(same_host(authority("localhost"), authority("127.0.0.1")));
  EXPECT_FALSE(same_host(authority("[::1]"), authority("[::2]")));
}

TEST(Origin, IsSchemeAndAuthority) {
  const auto origin = parse_origin("http://localhost:3000");
  ASSERT_TRUE(origin);
  EXPECT_EQ(origin->scheme, "http");
  EXPECT_EQ(origin->authority, (Authority{"localhost", HostKind::kName, 3000}));
  EXPECT_TRUE(parse_origin("https://[::1]"));
  EXPECT_TRUE(parse_origin("moz-extension://6f3a-11"));
}

TEST(Origin, RefusesWhatNamesNoHost) {
  for (std::string_view value :
       {"null", "", "http://", "://a", "a", "http:/a", "http://a/", "http://a/b",
        "http://a http://b", "http://u@a", "file://", "ht tp://a"}) {
    EXPECT_FALSE(parse_origin(value)) << value;
  }
}

TEST(Origin, IsTheSamePageOnlyWithHostAndPort) {
  EXPECT_TRUE(same_page("http://localhost:3000", "localhost:3000"));
  EXPECT_TRUE(same_page("http://LOCALHOST:3000", "localhost:3000"));
  EXPECT_TRUE(same_page("http://a", "a"));
  EXPECT_TRUE(same_page("http://a", "a:80"));
  EXPECT_TRUE(same_page("http://a:80", "a"));
  EXPECT_TRUE(same_page("https://a:8080", "a:8080"));
  EXPECT_FALSE(same_page("https://a", "a"));
  EXPECT_FALSE(same_page("http://localhost:3001", "localhost:3000"));
  EXPECT_FALSE(same_page("http://evil.example", "localhost"));
  EXPECT_FALSE(same_page("http://127.0.0.1:3000", "localhost:3000"));
  EXPECT_FALSE(same_page("null", "localhost"));
}

}  // namespace
}  // namespace gondolin::http
