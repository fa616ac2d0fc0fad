// The catalogue: every product, fabric, site, cluster, model and software that the library knows by name.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ampacity/value.hpp"

namespace ampacity {

/// A set of named documents. The built-in one is made from the TOML files of the source tree at build time; users add
/// their own documents with `with`. Immutable, cheap to copy, safe to share between threads.
class Catalogue {
 public:
  /// An empty catalogue.
  Catalogue() = default;

  /// The catalogue that the library was built with.
  [[nodiscard]] static const Catalogue& builtin();

  /// Kinds of documents (`accelerator`, `cluster`, `model`, ...), sorted.
  [[nodiscard]] std::vector<std::string> kinds() const;

  /// Names of one kind, sorted. \throws UnknownName for an unknown kind.
  [[nodiscard]] std::vector<std::string> names(std::string_view kind) const;

  [[nodiscard]] bool contains(std::string_view kind, std::string_view name) const;

  /// The document as written: values may be tables of `value`, `source` and `confidence`.
  /// \throws UnknownName with the nearest name.
  [[nodiscard]] const Value& document(std::string_view kind, std::string_view name) const;

  /// The specification of that name; the kind is `Spec::kind`. References to other documents are resolved here.
  /// \throws UnknownName, InvalidSpec
  template <class Spec>
  [[nodiscard]] Spec get(std::string_view name) const;

  /// A catalogue that also has these documents; each has `kind` and `name`, and replaces one of the same kind and name.
  /// \throws InvalidSpec when a document has no kind or name, an unknown kind, or contents that its kind does not
  ///         allow (references may point at each other in any order).
  [[nodiscard]] Catalogue with(const std::vector<Value>& documents) const;

 private:
  struct Entry {
    std::string kind;
    std::string name;
    std::shared_ptr<const Value> document;
  };
  [[nodiscard]] const Entry* find(std::string_view kind, std::string_view name) const;
  void add(Value document, std::string kind, std::string name);

  std::vector<Entry> entries_;  // sorted by kind, then name
};

}  // namespace ampacity
