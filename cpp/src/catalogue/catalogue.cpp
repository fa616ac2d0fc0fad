#include "ampacity/catalogue.hpp"

#include <algorithm>
#include <tuple>

#include "ampacity/ampacity.hpp"
#include "base/text.hpp"
#include "catalogue/embedded.hpp"
#include "spec/decoder.hpp"

namespace ampacity {
namespace {

Value value_of(const catalogue::Token*& token) {
  const catalogue::Token& current = *token++;
  switch (current.type) {
    case catalogue::TokenType::text:
      return current.text;
    case catalogue::TokenType::integer:
      return current.integer;
    case catalogue::TokenType::real:
      return current.real;
    case catalogue::TokenType::boolean:
      return current.integer != 0;
    case catalogue::TokenType::list: {
      Value::List items;
      for (std::uint32_t i = 0; i < current.count; ++i) items.push_back(value_of(token));
      return items;
    }
    case catalogue::TokenType::table:
      break;
  }
  Value::Table table;
  for (std::uint32_t i = 0; i < current.count; ++i) {
    std::string key = token->key;
    table.emplace_back(std::move(key), value_of(token));
  }
  return table;
}

std::string text_of(const Value& document, std::string_view key) {
  const Value* value = document.find(key);
  const std::string* text = value != nullptr ? value->get_if<std::string>() : nullptr;
  return text != nullptr ? *text : std::string{};
}

/// Tries to read a document as the specification of its kind, for the problems that shows.
template <class Spec>
bool check_as(const Value& document, const std::string& kind, const Catalogue& catalogue,
              std::vector<Problem>& problems) {
  if (kind != Spec::kind) return false;
  for (Problem& problem : spec::problems_of<Spec>(document, kind + "." + text_of(document, "name"), catalogue)) {
    problems.push_back(std::move(problem));
  }
  return true;
}

template <class... Specs>
void check(const Value& document, const std::string& kind, const Catalogue& catalogue, std::vector<Problem>& problems) {
  if ((check_as<Specs>(document, kind, catalogue, problems) || ...)) return;
  const std::vector<std::string> known{std::string(Specs::kind)...};
  problems.push_back({"kind", '"' + kind + '"', "must be one of " + base::either(known), did_you_mean(kind, known)});
}

}  // namespace

const Catalogue& Catalogue::builtin() {
  static const Catalogue catalogue = [] {
    Catalogue made;
    const catalogue::Token* token = catalogue::embedded_tokens;
    made.entries_.reserve(catalogue::embedded_document_count);
    for (std::size_t i = 0; i < catalogue::embedded_document_count; ++i) {
      Value document = value_of(token);
      std::string kind = text_of(document, "kind");
      std::string name = text_of(document, "name");
      made.entries_.push_back({std::move(kind), std::move(name), std::make_shared<const Value>(std::move(document))});
    }
    return made;
  }();
  return catalogue;
}

std::vector<std::string> Catalogue::kinds() const {
  std::vector<std::string> kinds;
  for (const Entry& entry : entries_) {
    if (kinds.empty() || kinds.back() != entry.kind) kinds.push_back(entry.kind);
  }
  return kinds;
}

std::vector<std::string> Catalogue::names(std::string_view kind) const {
  std::vector<std::string> names;
  for (const Entry& entry : entries_) {
    if (entry.kind == kind) names.push_back(entry.name);
  }
  if (names.empty()) {
    const std::string hint = did_you_mean(kind, kinds());
    throw UnknownName("the catalogue has no kind \"" + std::string(kind) + "\"; " +
                      (hint.empty() ? "it has " + base::either(kinds()) : hint));
  }
  return names;
}

const Catalogue::Entry* Catalogue::find(std::string_view kind, std::string_view name) const {
  const auto at =
      std::lower_bound(entries_.begin(), entries_.end(), std::tie(kind, name), [](const Entry& entry, const auto& key) {
        return std::tuple<std::string_view, std::string_view>(entry.kind, entry.name) < key;
      });
  return at != entries_.end() && at->kind == kind && at->name == name ? &*at : nullptr;
}

bool Catalogue::contains(std::string_view kind, std::string_view name) const {
  return find(kind, name) != nullptr;
}

const Value& Catalogue::document(std::string_view kind, std::string_view name) const {
  if (const Entry* entry = find(kind, name)) return *entry->document;
  const std::vector<std::string> known = names(kind);
  const std::string hint = did_you_mean(name, known);
  throw UnknownName("the catalogue has no " + std::string(kind) + " \"" + std::string(name) + "\"; " +
                    (hint.empty() ? "`ampacity list " + std::string(kind) + "` shows what it has" : hint));
}

void Catalogue::add(Value document, std::string kind, std::string name) {
  Entry entry{std::move(kind), std::move(name), std::make_shared<const Value>(std::move(document))};
  const auto at = std::lower_bound(entries_.begin(), entries_.end(), entry, [](const Entry& a, const Entry& b) {
    return std::tie(a.kind, a.name) < std::tie(b.kind, b.name);
  });
  if (at != entries_.end() && at->kind == entry.kind && at->name == entry.name) {
    *at = std::move(entry);
  } else {
    entries_.insert(at, std::move(entry));
  }
}

Catalogue Catalogue::with(const std::vector<Value>& documents) const {
  Catalogue extended = *this;
  std::vector<Problem> problems;
  for (const Value& document : documents) {
    const std::string kind = text_of(document, "kind");
    const std::string name = text_of(document, "name");
    if (kind.empty()) problems.push_back({"kind", "", "is missing", "kind = \"model\", \"cluster\", ..."});
    if (name.empty()) problems.push_back({kind.empty() ? "name" : kind + ".name", "", "is missing", {}});
    if (!kind.empty() && !name.empty()) extended.add(document, kind, name);
  }
  for (const Value& document : documents) {
    const std::string kind = text_of(document, "kind");
    if (kind.empty() || text_of(document, "name").empty()) continue;
    check<Architecture, Accelerator, Nic, Supply, Node, Switch, Optic, LineSystem, Fabric, Grid, Climate, Plant, Site,
          Reliability, Cluster, Model, PowerProfile, Software>(document, kind, extended, problems);
  }
  if (!problems.empty()) throw InvalidSpec(std::move(problems));
  return extended;
}

}  // namespace ampacity
