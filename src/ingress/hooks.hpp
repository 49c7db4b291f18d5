// What the host's program may say about each request and response, as the gateway
// sees it: three functions that are asked and answer when they like.
//
// The gateway trusts a hook's intent but not its bytes: everything that comes back
// is checked (hooked_message.hpp) before it is written anywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <tl/expected.hpp>

#include "http/status.hpp"
#include "ingress/listeners_file.hpp"

namespace gondolin::ingress {

// Whether a response's body is read to its end before any of it is sent.
enum class Buffering : std::uint8_t { kNo, kYes };

struct OwnedField {
  std::string name;
  std::string value;

  bool operator==(const OwnedField&) const = default;
};
using OwnedFields = std::vector<OwnedField>;

// All fields of that name are replaced by these; no values remove them.
struct FieldChange {
  std::string name;
  std::vector<std::string> values;
};

struct HookRequest {
  std::string client_address;
  std::string method;
  std::string path;    // normalized, with its query, as it was routed
  OwnedFields fields;  // is_allowed: the client's; after that: what the backend is to get
  Route route;
  std::string backend_host = "127.0.0.1";
  Port backend_port{};
  std::string backend_target;
};

struct RequestPatch {
  std::optional<std::string> method;
  std::optional<std::string> backend_host;
  std::optional<std::uint32_t> backend_port;
  std::optional<std::string> backend_target;
  std::vector<FieldChange> fields;
  std::optional<Buffering> buffering;
  std::optional<std::size_t> max_buffered;
};

struct HookResponse {
  http::StatusCode status{};
  std::string reason;
  OwnedFields fields;
  std::optional<std::string> body;  // if it was buffered
};

struct ResponsePatch {
  std::optional<unsigned> status;
  std::optional<std::string> reason;
  std::vector<FieldChange> fields;
  std::optional<std::string> body;
};

// A hook that answers the request itself, with a refusal.
struct Blocked {
  std::string message;  // for the debug log
  unsigned status = 403;
  std::string reason;               // empty: the status's own
  std::optional<std::string> body;  // none: what the gateway says of that status
};

// Why there is no answer of the kind asked for: a refusal, or what went wrong.
using HookError = std::variant<Blocked, std::string>;

template <typename T>
using HookResult = tl::expected<T, HookError>;

// To be called once, from any thread; later calls are ignored.
template <typename T>
using HookAnswer = std::function<void(HookResult<T>)>;

// Each may be empty, is called on the gateway's thread and must neither block nor
// throw.
struct Hooks {
  std::function<void(HookRequest, HookAnswer<bool>)> is_allowed;
  std::function<void(HookRequest, HookAnswer<RequestPatch>)> on_request;
  // The request as it went to the backend.
  std::function<void(HookResponse, HookRequest, HookAnswer<ResponsePatch>)> on_response;

  [[nodiscard]] bool empty() const { return !is_allowed && !on_request && !on_response; }
};

}  // namespace gondolin::ingress
