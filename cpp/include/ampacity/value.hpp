// A plain document tree: what a TOML or JSON file says, before it becomes a specification.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace ampacity {

/// One node of a document: null, boolean, integer, real number, text, list or table.
/// Tables keep the order in which keys were added, so that messages follow the user's file.
class Value {
 public:
  using List = std::vector<Value>;
  using Table = std::vector<std::pair<std::string, Value>>;

  Value() = default;
  Value(bool flag) : data_(flag) {}                                // NOLINT(google-explicit-constructor)
  Value(int number) : data_(static_cast<std::int64_t>(number)) {}  // NOLINT(google-explicit-constructor)
  Value(std::int64_t number) : data_(number) {}                    // NOLINT(google-explicit-constructor)
  Value(double number) : data_(number) {}                          // NOLINT(google-explicit-constructor)
  Value(const char* text) : data_(std::string(text)) {}            // NOLINT(google-explicit-constructor)
  Value(std::string text) : data_(std::move(text)) {}              // NOLINT(google-explicit-constructor)
  Value(std::string_view text) : data_(std::string(text)) {}       // NOLINT(google-explicit-constructor)
  Value(List items) : data_(std::move(items)) {}                   // NOLINT(google-explicit-constructor)
  Value(Table entries) : data_(std::move(entries)) {}              // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool is_null() const { return std::holds_alternative<std::monostate>(data_); }
  [[nodiscard]] bool is_table() const { return std::holds_alternative<Table>(data_); }
  [[nodiscard]] bool is_list() const { return std::holds_alternative<List>(data_); }
  [[nodiscard]] bool is_text() const { return std::holds_alternative<std::string>(data_); }
  [[nodiscard]] bool is_bool() const { return std::holds_alternative<bool>(data_); }
  [[nodiscard]] bool is_integer() const { return std::holds_alternative<std::int64_t>(data_); }
  [[nodiscard]] bool is_real() const { return std::holds_alternative<double>(data_); }
  [[nodiscard]] bool is_number() const { return is_integer() || is_real(); }

  /// The content of that type; null where the node holds another type.
  template <class T>
  [[nodiscard]] const T* get_if() const {
    return std::get_if<T>(&data_);
  }
  /// The number as double; only valid where `is_number()`.
  [[nodiscard]] double number() const;

  /// The entry of a table, or null where there is none (or this is no table).
  [[nodiscard]] const Value* find(std::string_view key) const;
  /// Sets an entry of a table (a null node becomes a table first).
  void set(std::string_view key, Value value);

  /// Short text of the value for messages: `"text"`, `1e+30`, `table`, ...
  [[nodiscard]] std::string describe() const;

  friend bool operator==(const Value&, const Value&) = default;

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, List, Table> data_;
};

}  // namespace ampacity
