#include "spec_text.hpp"

namespace ampacity::python {

void add_argument(std::string& text, std::string_view key, const std::string& literal) {
  text += (text.empty() ? "" : ", ") + std::string(key) + "=" + literal;
}

void add_parameter(std::string& text, std::string_view key, const std::string& type, const std::string& default_text) {
  text += ", " + std::string(key) + ": " + type;
  if (!default_text.empty()) text += " = " + default_text;
}

void add_documentation(std::string& text, std::string_view key, const std::string& type, Presence presence,
                       std::string_view doc, const std::string& allowed) {
  text += std::string(key) + " : " + type;
  text += (presence == Presence::optional ? ", optional\n    " : "\n    ") + std::string(doc) + "." + allowed + "\n";
}

std::string choices(const char* lead, std::span<const std::string_view> names) {
  std::string text;
  for (const std::string_view name : names) text += (text.empty() ? lead : ", ``") + std::string(name) + "``";
  return text + ".";
}

std::string interval_text(const Range& range) {
  const bool open = range.maximum >= std::numeric_limits<double>::max();
  const auto number = [](double value) { return py::str("{:g}").format(value).cast<std::string>(); };
  return " From " + number(range.minimum) + (open ? " up." : " to " + number(range.maximum) + ".");
}

std::string class_text(const char* name, const char* summary, const std::string& fields) {
  return std::string(summary) + "\n\nParameters\n----------\n" + fields +
         "\nRaises\n------\nInvalidSpec\n    Names every field that is unknown, missing, of a wrong type or out of "
         "range.\n\nSee Also\n--------\n" +
         std::string(name) + ".replace : a copy with other values.\n";
}

}  // namespace ampacity::python
