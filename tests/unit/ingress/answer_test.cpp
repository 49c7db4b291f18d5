#include "ingress/answer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gondolin::ingress {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

AnswerTo::Audience audience(std::string_view accept) {
  http::HeaderList fields;
  fields.add("accept", accept);
  return audience_of(fields);
}

TEST(Answer, OnlyWhoAsksForHtmlIsABrowser) {
  using enum AnswerTo::Audience;
  EXPECT_EQ(audience("text/html,application/xhtml+xml,*/*;q=0.8"), kBrowser);
  EXPECT_EQ(audience("application/json, Text/HTML;q=0.1"), kBrowser);
  EXPECT_EQ(audience("*/*"), kProgram);
  EXPECT_EQ(audience("text/*"), kProgram);
  EXPECT_EQ(audience("text/htmlx"), kProgram);
  EXPECT_EQ(audience("text/html;q=0, */*"), kProgram);
  EXPECT_EQ(audience("text/html ; level=1 ; Q=0.000"), kProgram);
  EXPECT_EQ(audience("text/html;q=0.01"), kBrowser);
  EXPECT_EQ(audience(""), kProgram);
  EXPECT_EQ(audience_of({}), kProgram);
}

TEST(Answer, ProgramsGetTheLineAndNothingMore) {
  std::string text =
      write_answer({.status = http::StatusCode::kNotFound, .line = "no route", .page = "<p>secret"},
                   {.persistence = http::Persistence::kKeepAlive});
  EXPECT_THAT(text, StartsWith("HTTP/1.1 404 Not Found\r\nDate: "));
  EXPECT_THAT(text, HasSubstr("\r\nContent-Type: text/plain; charset=utf-8\r\n"));
  EXPECT_THAT(text, HasSubstr("\r\nContent-Length: 9\r\n"));
  EXPECT_THAT(text, EndsWith("\r\n\r\nno route\n"));
  EXPECT_THAT(text, Not(HasSubstr("secret")));
  EXPECT_THAT(text, Not(HasSubstr("Connection")));
}

TEST(Answer, PagesSayWhatToDo) {
  using enum http::StatusCode;
  for (http::StatusCode status :
       {kBadRequest, kForbidden, kMethodNotAllowed, kRequestTimeout, kContentTooLarge, kUriTooLong,
        kExpectationFailed, kFieldsTooLarge, kNotImplemented, kBadGateway, kServiceUnavailable,
        kGatewayTimeout, kVersionNotSupported}) {
    const std::string line(default_line(status));
    EXPECT_THAT(
        write_answer({.status = status, .line = line}, {.audience = AnswerTo::Audience::kBrowser}),
        HasSubstr("<p>" + line + "</p>\n<p>"));
  }
  EXPECT_THAT(write_answer({.status = kMisdirectedRequest, .line = "host not allowed: say --x"},
                           {.audience = AnswerTo::Audience::kBrowser}),
              HasSubstr("<p>host not allowed: say --x</p>\n<footer>"));
}

TEST(Answer, HeadHasTheLengthButNoBody) {
  std::string text = write_answer({.status = http::StatusCode::kBadGateway, .line = "bad gateway"},
                                  {.method = AnswerTo::Method::kHead});
  EXPECT_THAT(text, HasSubstr("\r\nContent-Length: 12\r\n"));
  EXPECT_THAT(text, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_THAT(text, EndsWith("\r\n\r\n"));
}

TEST(Answer, PagesEscapeWhatIsNotOurs) {
  constexpr auto kGet = AnswerTo::Method::kGet;
  std::string page = no_route_page("/<b>\x01&\"'", "/a<i> :1\n", "line 1: '<u>'", kGet);
  for (std::string_view tag : {"<b>", "<i>", "<u>"})
    EXPECT_THAT(page, Not(HasSubstr(tag)));
  EXPECT_THAT(page, HasSubstr("/&lt;b&gt;\\x01&amp;&quot;&#39;"));
  EXPECT_THAT(unreachable_page(80, "/<b>", "", kGet), Not(HasSubstr("<b>")));
}

TEST(Answer, PagesTryAgainByThemselvesWhatWasAGet) {
  using enum AnswerTo::Method;
  const auto refresh = HasSubstr("http-equiv=\"refresh\"");
  EXPECT_THAT(no_route_page("/", "", "", kGet), refresh);
  EXPECT_THAT(no_route_page("/", "", "", kOther), Not(refresh));
  EXPECT_THAT(unreachable_page(80, "/", "", kGet), AllOf(refresh, HasSubstr("every second")));
  EXPECT_THAT(unreachable_page(80, "/", "", kOther),
              AllOf(Not(refresh), HasSubstr("Then send it again."), Not(HasSubstr("second"))));
  EXPECT_EQ(unreachable_page(80, "/", "", kHead), unreachable_page(80, "/", "", kGet));
}

TEST(Answer, EveryStatusHasALine) {
  using enum http::StatusCode;
  for (http::StatusCode status :
       {kBadRequest, kForbidden, kNotFound, kMethodNotAllowed, kRequestTimeout, kContentTooLarge,
        kUriTooLong, kExpectationFailed, kFieldsTooLarge, kNotImplemented, kBadGateway,
        kServiceUnavailable, kGatewayTimeout, kVersionNotSupported}) {
    EXPECT_NE(default_line(status), default_line(kInternalServerError));
  }
}

}  // namespace
}  // namespace gondolin::ingress
