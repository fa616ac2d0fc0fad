// The catalogue files as the build embeds them: one flat list of tokens, written by cmake/embed_catalogue.py.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ampacity::catalogue {

enum class TokenType : std::uint8_t { text, integer, real, boolean, list, table };

/// A value with the key that it has in its table. Lists and tables are followed by their `count` children.
struct Token {
  TokenType type;
  const char* key;
  const char* text;
  std::int64_t integer;  // also the flag of a boolean
  double real;
  std::uint32_t count;
};

/// `document_count` tables one after the other; each has `kind` and `name`.
extern const Token embedded_tokens[];
extern const std::size_t embedded_document_count;

}  // namespace ampacity::catalogue
