// Header lists, the token lists in them, and the character classes below both.
#include "http/header_list.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/scan.hpp"
#include "http/status.hpp"

namespace gondolin::http {
namespace {

std::vector<std::string> elements(std::string_view list) {
  std::vector<std::string> found;
  for (std::string_view element : ListElements(list))
    found.emplace_back(element);
  return found;
}

TEST(HeaderList, FindsFieldsWithoutRegardToCase) {
  HeaderList list;
  list.add("HOST", "a");
  list.add("x-other", "1");
  list.add("X-Other", "2");
  EXPECT_EQ(list.find(FieldName::kHost)->name, "HOST");
  EXPECT_EQ(list.find("host")->value, "a");
  EXPECT_EQ(list.find("X-OTHER")->value, "1");
  EXPECT_EQ(list.count("x-other"), 2U);
  EXPECT_EQ(list.find(FieldName::kVia), nullptr);
  EXPECT_EQ(list.value(FieldName::kVia), "");
  EXPECT_EQ(list.find("x"), nullptr);
  list.clear();
  EXPECT_TRUE(list.empty());
}

TEST(HeaderList, IteratesFieldsOfOneNameInOrder) {
  HeaderList list;
  list.add("Via", "1");
  list.add("Host", "2");
  list.add("via", "3");
  std::string seen;
  for (const Field& field : list.all(FieldName::kVia))
    seen.append(field.value);
  EXPECT_EQ(seen, "13");
}

TEST(HeaderList, KnowsEveryNameThatItHasAnIdFor) {
  const std::vector<std::pair<std::string_view, FieldName>> names = {
      {"Accept", FieldName::kAccept},
      {"Connection", FieldName::kConnection},
      {"Content-Length", FieldName::kContentLength},
      {"Expect", FieldName::kExpect},
      {"Forwarded", FieldName::kForwarded},
      {"Host", FieldName::kHost},
      {"Keep-Alive", FieldName::kKeepAlive},
      {"Origin", FieldName::kOrigin},
      {"Proxy", FieldName::kProxy},
      {"Proxy-Authenticate", FieldName::kProxyAuthenticate},
      {"Proxy-Authorization", FieldName::kProxyAuthorization},
      {"Proxy-Connection", FieldName::kProxyConnection},
      {"Sec-WebSocket-Key", FieldName::kSecWebSocketKey},
      {"Sec-WebSocket-Version", FieldName::kSecWebSocketVersion},
      {"TE", FieldName::kTe},
      {"Trailer", FieldName::kTrailer},
      {"Transfer-Encoding", FieldName::kTransferEncoding},
      {"Upgrade", FieldName::kUpgrade},
      {"Via", FieldName::kVia},
      {"X-Forwarded-For", FieldName::kXForwardedFor},
      {"X-Forwarded-Host", FieldName::kXForwardedHost},
      {"X-Forwarded-Prefix", FieldName::kXForwardedPrefix},
      {"X-Forwarded-Proto", FieldName::kXForwardedProto},
      {"X-Forwarded-Port", FieldName::kOther},
      {"Content_Length", FieldName::kOther},
  };
  for (const auto& [name, id] : names)
    EXPECT_EQ(known_field(name), id) << name;
}

TEST(ListElements, SkipsBlanksAndEmptyElements) {
  EXPECT_THAT(elements("a,b"), ::testing::ElementsAre("a", "b"));
  EXPECT_THAT(elements(" a\t, ,,\tb c ,"), ::testing::ElementsAre("a", "b c"));
  EXPECT_THAT(elements(""), ::testing::IsEmpty());
  EXPECT_THAT(elements(" , ,\t"), ::testing::IsEmpty());
  EXPECT_THAT(elements(std::string_view()), ::testing::IsEmpty());
}

TEST(ListElements, FindsATokenInAnyFieldOfAName) {
  HeaderList list;
  list.add("Connection", "a, keep-alive");
  list.add("connection", "UPGRADE");
  EXPECT_TRUE(has_token(list, FieldName::kConnection, "upgrade"));
  EXPECT_TRUE(has_token(list, FieldName::kConnection, "Keep-Alive"));
  EXPECT_FALSE(has_token(list, FieldName::kConnection, "keep"));
  EXPECT_FALSE(has_token(list, FieldName::kUpgrade, "upgrade"));
}

TEST(Chars, AreClassedAsTheGrammarSays) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const bool control = byte < 0x20 || byte == 0x7f;
    EXPECT_EQ(is_field_byte(c), !control || c == '\t') << byte;
    EXPECT_EQ(is_target_byte(c), !control && c != ' ' && c != '#') << byte;
    const bool token = byte < 0x80 && byte != 0 &&
                       (std::isalnum(static_cast<int>(byte)) != 0 ||
                        std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
    EXPECT_EQ(is_token_char(c), token) << byte;
  }
}

TEST(Chars, JudgeFieldValuesOfOthers) {
  EXPECT_TRUE(is_field_value(""));
  EXPECT_TRUE(is_field_value("a \t\xff"));
  for (std::string_view bad : {" a", "a ", "\ta", "a\r\n", "a\nb", "\x7f", "\r"}) {
    EXPECT_FALSE(is_field_value(bad)) << bad;
  }
  EXPECT_FALSE(is_field_value(std::string_view("\0", 1)));
  EXPECT_FALSE(is_token(""));
  EXPECT_FALSE(is_token("a b"));
}

TEST(FindControl, AgreesWithTheTableAtEveryOffset) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    for (std::size_t size = 1; size <= 20; ++size) {
      for (std::size_t at = 0; at < size; ++at) {
        std::string text(size, 'a');
        for (std::size_t i = 0; i < at; ++i)
          text[i] = "\t\xff\x80 ~"[i % 5];
        text[at] = static_cast<char>(byte);
        const bool control = !is_field_byte(text[at]);
        EXPECT_EQ(find_control(text, 0), control ? at : size) << byte << " at " << at;
        EXPECT_EQ(find_control(text, at), control ? at : size) << byte << " from " << at;
        EXPECT_EQ(find_control(text, at + 1), size);
      }
    }
  }
}

TEST(StatusCode, HasAPhraseForEveryCodeThatWeSend) {
  using enum StatusCode;
  for (StatusCode code :
       {kBadRequest, kForbidden, kNotFound, kMethodNotAllowed, kRequestTimeout, kContentTooLarge,
        kUriTooLong, kExpectationFailed, kMisdirectedRequest, kFieldsTooLarge, kInternalServerError,
        kNotImplemented, kBadGateway, kServiceUnavailable, kGatewayTimeout, kVersionNotSupported}) {
    EXPECT_NE(reason_phrase(code), "") << to_number(code);
  }
  EXPECT_EQ(reason_phrase(static_cast<StatusCode>(799)), "");
}

}  // namespace
}  // namespace gondolin::http
