// The time of day as HTTP writes it (RFC 9110 5.6.7), for responses that do not say it
// themselves. Written once a second, however many responses ask.
#pragma once

#include <ctime>
#include <string>
#include <string_view>

namespace gondolin::ingress {

// "Sun, 06 Nov 1994 08:49:37 GMT", whatever the locale.
[[nodiscard]] std::string http_date(std::time_t time);

class DateClock {
 public:
  // The present second; the text lives until the next call.
  [[nodiscard]] std::string_view now();

 private:
  std::time_t second_ = -1;
  std::string text_;
};

}  // namespace gondolin::ingress
