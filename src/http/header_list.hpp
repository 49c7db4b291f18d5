// Header fields as they came: names and values are views of the buffer that the
// head was parsed from (or of other memory that outlives the list), with their
// bytes, order, case and duplicates. Names compare without regard to case.
//
// The list never owns text and never changes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <ranges>
#include <string_view>
#include <vector>

#include "http/chars.hpp"

namespace gondolin::http {

// The field names that framing, forwarding and policies ask for.
enum class FieldName : std::uint8_t {
  kOther,
  kAccept,
  kConnection,
  kContentLength,
  kDate,
  kExpect,
  kForwarded,
  kHost,
  kKeepAlive,
  kMaxForwards,
  kOrigin,
  kProxy,
  kProxyAuthenticate,
  kProxyAuthorization,
  kProxyConnection,
  kSecWebSocketKey,
  kSecWebSocketVersion,
  kTe,
  kTrailer,
  kTransferEncoding,
  kUpgrade,
  kVia,
  kXForwardedFor,
  kXForwardedHost,
  kXForwardedPrefix,
  kXForwardedProto,
};

// The name's place in FieldName, without regard to case; kOther if it has none.
[[nodiscard]] FieldName known_field(std::string_view name);

struct Field {
  std::string_view name;   // never empty
  std::string_view value;  // without the blanks around it; may be empty
  FieldName id = FieldName::kOther;
};

class HeaderList {
 public:
  using const_iterator = std::vector<Field>::const_iterator;

  // Appends a field. The views must outlive the list's use.
  void add(std::string_view name, std::string_view value) {
    fields_.push_back({name, value, known_field(name)});
  }
  // Forgets the fields, keeps the memory.
  void clear() { fields_.clear(); }

  [[nodiscard]] bool empty() const { return fields_.empty(); }
  [[nodiscard]] std::size_t size() const { return fields_.size(); }
  [[nodiscard]] const Field& operator[](std::size_t index) const { return fields_[index]; }
  [[nodiscard]] const_iterator begin() const { return fields_.begin(); }
  [[nodiscard]] const_iterator end() const { return fields_.end(); }

  // The first field of that name, null if there is none.
  [[nodiscard]] const Field* find(FieldName name) const;
  [[nodiscard]] const Field* find(std::string_view name) const;
  // The value of the first field of that name, "" if there is none.
  [[nodiscard]] std::string_view value(FieldName name) const;
  [[nodiscard]] std::size_t count(FieldName name) const;
  [[nodiscard]] std::size_t count(std::string_view name) const;

  // The fields of that name in order: for (const Field& via : list.all(FieldName::kVia)).
  [[nodiscard]] auto all(FieldName name) const {
    return fields_ | std::views::filter([name](const Field& field) { return field.id == name; });
  }

 private:
  std::vector<Field> fields_;
};

// The elements of a comma-separated list of tokens, blanks around them and empty
// elements left out (RFC 9110 5.6.1.2). It knows no quoted strings: an element
// with a quote in it is no token, whatever its pieces are.
class ListElements {
 public:
  class Iterator {
   public:
    using iterator_concept = std::forward_iterator_tag;
    using iterator_category = std::forward_iterator_tag;
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;
    using pointer = const std::string_view*;
    using reference = std::string_view;

    Iterator() = default;
    explicit Iterator(std::string_view list) : rest_(list) { ++*this; }

    std::string_view operator*() const { return element_; }
    Iterator& operator++();
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    // Iterators of one list are equal at the same element.
    bool operator==(const Iterator& other) const {
      return element_.data() == other.element_.data();
    }

   private:
    std::string_view rest_;     // what follows element_
    std::string_view element_;  // data() is null at the end
  };

  explicit ListElements(std::string_view list) : list_(list) {}
  [[nodiscard]] Iterator begin() const { return Iterator(list_); }
  [[nodiscard]] Iterator end() const { return {}; }

 private:
  std::string_view list_;
};

// Whether a field of that name lists `token`, without regard to case:
// has_token(head.fields, FieldName::kConnection, "upgrade").
[[nodiscard]] bool has_token(const HeaderList& fields, FieldName name, std::string_view token);

}  // namespace gondolin::http
