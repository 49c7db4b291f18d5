// Which fields of a message go on to the next hop (RFC 9110 7.6.1).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "http/header_list.hpp"
#include "http/message.hpp"
#include "http/request.hpp"
#include "http/response.hpp"

namespace gondolin::http {

// Says of each field of one message whether it is forwarded. Not forwarded are
//   - Connection and every field it names, Keep-Alive, Proxy-Connection,
//     Proxy-Authenticate, Proxy-Authorization, Proxy, TE, Trailer,
//     Transfer-Encoding, Upgrade, whatever the message is for: who upgrades writes
//     Connection and Upgrade anew;
//   - Content-Length, which the forwarder writes anew from what was parsed
//     (HeadWriter::framing(), HeadWriter::content_length()), so that the framing of
//     a message is never a copy of what a peer wrote;
//   - Expect: 100-continue of HTTP/1.0, which must be ignored (RFC 9110 10.1.1).
// Connection cannot take away Host, Content-Length, Via, Forwarded or X-Forwarded-*:
// what framing, routing and the backend's trust stand on is not the client's to
// strip. Such names in it are ignored.
//
// Host is kept as it is; for an absolute-form target, or an HTTP/1.0 request without
// Host, the forwarder writes it from RequestHead::authority instead.
//
// Holds references to the head's fields: it must not outlive the head.
class ForwardFilter {
 public:
  explicit ForwardFilter(const RequestHead& head);
  explicit ForwardFilter(const ResponseHead& head);
  // For fields that come from elsewhere, such as a hook.
  explicit ForwardFilter(const HeaderList& fields);

  // `field` must be one of the head's.
  [[nodiscard]] bool keeps(const Field& field) const;

 private:
  [[nodiscard]] bool named_by_connection(std::string_view name) const;

  const HeaderList* fields_;
  bool names_fields_;  // Connection has options beyond close, keep-alive and upgrade
  Version version_ = Version::kHttp11;
};

// How many more hops an OPTIONS or TRACE may take (RFC 9110 7.6.2): a request with 0 is
// this one's to answer, of others one goes on less. None: as many as it takes. Other
// methods' Max-Forwards is a field like any.
[[nodiscard]] std::optional<std::uint64_t> hops_left(const RequestHead& head);

}  // namespace gondolin::http
