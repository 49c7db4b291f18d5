#include "ingress/answer.hpp"

#include <ctime>

#include <fmt/format.h>

#include "base/debug_log.hpp"
#include "ingress/http_date.hpp"

namespace gondolin::ingress {

using http::StatusCode;

namespace {

enum class Refresh : std::uint8_t { kNo, kYes };

// `body` is HTML already.
std::string page(std::string_view title, std::string_view body, Refresh refresh) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n{}"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{}</title>\n<style>\n"
      "body {{ font: 16px/1.5 system-ui, sans-serif; margin: 10vh auto; max-width: 40rem;"
      " padding: 0 1rem; color: #222; background: #fff; }}\n"
      "h1 {{ font-size: 1.4rem; }}\n"
      "pre {{ background: #f3f3f3; padding: .75rem; border-radius: .4rem; overflow: auto; }}\n"
      "footer {{ color: #777; font-size: .85rem; }}\n"
      "@media (prefers-color-scheme: dark) {{ body {{ color: #ddd; background: #1b1b1b; }}"
      " pre {{ background: #2a2a2a; }} }}\n"
      "</style>\n</head>\n<body>\n<h1>{}</h1>\n{}<footer>Gondolin ingress</footer>\n"
      "</body>\n</html>\n",
      refresh == Refresh::kYes ? "<meta http-equiv=\"refresh\" content=\"1\">\n" : "", title, title,
      body);
}

// A browser repeats anything as a GET. HEAD has the length of what GET gets.
Refresh refresh_after(AnswerTo::Method method) {
  return method == AnswerTo::Method::kOther ? Refresh::kNo : Refresh::kYes;
}

// What to do about an answer whose line does not say it. HTML.
std::string_view advice_for(StatusCode status) {
  switch (status) {
    case StatusCode::kBadRequest:
      return "What was sent is not valid HTTP/1.1. If a program sent it, the debug log says what is"
             " wrong with it (<code>GONDOLIN_DEBUG=ingress</code>).";
    case StatusCode::kForbidden:
      return "The program that opened this gateway refuses such requests; it knows why.";
    case StatusCode::kMethodNotAllowed:
      return "This gateway is no proxy to other machines. Ask for a path of its own address.";
    case StatusCode::kRequestTimeout:
      return "The request did not arrive whole in time. Send it again.";
    case StatusCode::kContentTooLarge:
      return "Send less at once.";
    case StatusCode::kUriTooLong:
      return "The address is too long for a request. Send the data in the body of a POST.";
    case StatusCode::kExpectationFailed:
      return "Send the request without its <code>Expect</code> field.";
    case StatusCode::kFieldsTooLarge:
      return "Mostly it is cookies: they are shared by all ports of a name. Delete those of this"
             " name, or open the same port under another one: every name below"
             " <code>localhost</code>, such as <code>my-app.localhost</code>, is this machine.";
    case StatusCode::kNotImplemented:
      return "Try it without: the gateway was not started for this, or does not know it.";
    case StatusCode::kBadGateway:
      return "The server in the sandbox took the connection and broke it off, or did not answer in"
             " HTTP. Look at what it prints, and whether it speaks HTTP, and not HTTPS, on this"
             " port. <code>GONDOLIN_DEBUG=ingress</code> says more, of hooks that fail, too.";
    case StatusCode::kServiceUnavailable:
      return "Close some pages or programs that use this gateway, then load this one again.";
    case StatusCode::kGatewayTimeout:
      return "The server in the sandbox took the request and is silent. See whether it is still"
             " at work, then load the page again. How long it may take can be set"
             " (<code>--header-timeout-ms</code>, <code>upstreamHeaderTimeoutMs</code>).";
    case StatusCode::kVersionNotSupported:
      return "This gateway speaks HTTP/1.1 and HTTP/1.0.";
    default:
      return "";
  }
}

std::string plain_page(const Answer& answer) {
  std::string title =
      fmt::format("{} {}", http::to_number(answer.status), http::reason_phrase(answer.status));
  std::string body = fmt::format("<p>{}</p>\n", escape_html(answer.line));
  // A line with a colon goes on to say what to do.
  if (const auto advice = advice_for(answer.status);
      !advice.empty() && answer.line.find(':') == std::string::npos) {
    body += fmt::format("<p>{}</p>\n", advice);
  }
  return page(title, body, Refresh::kNo);
}

// Whether an element of Accept has a weight of zero: "text/html;q=0.0".
bool is_unwanted(std::string_view range) {
  for (std::size_t at = 0; (at = range.find(';', at)) != std::string_view::npos;) {
    std::string_view parameter = range.substr(++at);
    parameter = http::trim_blanks(parameter.substr(0, parameter.find(';')));
    if (parameter.size() > 2 && http::iequals(parameter.substr(0, 2), "q=")) {
      return parameter.substr(2).find_first_not_of("0.") == std::string_view::npos;
    }
  }
  return false;
}

std::string_view connection_field(const AnswerTo& to) {
  if (to.persistence == http::Persistence::kClose) return "Connection: close\r\n";
  return to.version == http::Version::kHttp10 ? "Connection: keep-alive\r\n" : "";
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

AnswerTo::Audience audience_of(const http::HeaderList& fields) {
  for (const http::Field& field : fields.all(http::FieldName::kAccept)) {
    for (std::string_view range : http::ListElements(field.value)) {
      std::string_view type = http::trim_blanks(range.substr(0, range.find(';')));
      if (http::iequals(type, "text/html") && !is_unwanted(range)) {
        return AnswerTo::Audience::kBrowser;
      }
    }
  }
  return AnswerTo::Audience::kProgram;
}

std::string_view default_line(StatusCode status) {
  switch (status) {
    case StatusCode::kBadRequest:
      return "bad request";
    case StatusCode::kForbidden:
      return "forbidden";
    case StatusCode::kNotFound:
      return "no route";
    case StatusCode::kMethodNotAllowed:
      return "method not allowed";
    case StatusCode::kRequestTimeout:
      return "request timeout";
    case StatusCode::kContentTooLarge:
      return "content too large";
    case StatusCode::kUriTooLong:
      return "uri too long";
    case StatusCode::kExpectationFailed:
      return "expectation failed";
    case StatusCode::kFieldsTooLarge:
      return "request header fields too large";
    case StatusCode::kNotImplemented:
      return "not implemented";
    case StatusCode::kBadGateway:
      return "bad gateway";
    case StatusCode::kServiceUnavailable:
      return "too many connections";
    case StatusCode::kGatewayTimeout:
      return "gateway timeout";
    case StatusCode::kVersionNotSupported:
      return "http version not supported";
    default:
      return "error";
  }
}

std::string write_answer(const Answer& answer, const AnswerTo& to) {
  const bool html = to.audience == AnswerTo::Audience::kBrowser && !answer.body;
  std::string body = answer.body           ? *answer.body
                     : !html               ? answer.line + "\n"
                     : answer.page.empty() ? plain_page(answer)
                                           : answer.page;
  const std::string_view reason =
      answer.reason.empty() ? http::reason_phrase(answer.status) : answer.reason;
  std::string text = fmt::format(
      "HTTP/1.1 {} {}\r\nDate: {}\r\nContent-Type: {}; charset=utf-8\r\nContent-Length: {}\r\n"
      "Cache-Control: no-store\r\n{}",
      http::to_number(answer.status), reason, http_date(std::time(nullptr)),
      html ? "text/html" : "text/plain", body.size(), connection_field(to));
  if (!answer.allow.empty()) text += fmt::format("Allow: {}\r\n", answer.allow);
  if (html) {
    text +=
        "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n"
        "X-Content-Type-Options: nosniff\r\n";
  }
  text += "\r\n";
  if (to.method != AnswerTo::Method::kHead) text += body;
  return text;
}

std::string no_route_page(std::string_view path, std::string_view routes, std::string_view error,
                          AnswerTo::Method method) {
  std::string body =
      fmt::format("<p>No prefix in the listeners file matches <code>{}</code>.</p>\n",
                  escape_html(printable(path)));
  if (!error.empty()) {
    body +=
        fmt::format("<p>The file was changed, but the change is not in force:</p>\n<pre>{}</pre>\n",
                    escape_html(error));
  }
  if (routes.empty()) {
    body += "<p>There are no routes yet.</p>\n";
  } else {
    body += fmt::format("<p>The routes in force:</p>\n<pre>{}</pre>\n", escape_html(routes));
  }
  body +=
      "<p>To send everything to a server on port 8000, put this line into the file"
      " (inside a VM it is <code>/etc/gondolin/listeners</code>):</p>\n<pre>/ :8000</pre>\n";
  return page("No route", body, refresh_after(method));
}

std::string unreachable_page(std::uint16_t port, std::string_view prefix,
                             std::string_view listening, AnswerTo::Method method) {
  std::string body =
      fmt::format("<p>The route <code>{}</code> leads to port {}, where no server answers.</p>\n",
                  escape_html(printable(prefix)), port);
  if (!listening.empty()) {
    body += fmt::format("<p>Ports with a listening server: {}.</p>\n", escape_html(listening));
  }
  const Refresh refresh = refresh_after(method);
  body += fmt::format(
      "<p>Start the server, or correct the route. {}</p>\n",
      refresh == Refresh::kYes ? "This page tries again every second." : "Then send it again.");
  return page(fmt::format("Nothing answers on port {}", port), body, refresh);
}

}  // namespace gondolin::ingress
