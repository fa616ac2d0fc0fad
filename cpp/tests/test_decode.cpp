// Documents to specifications: every rule, every problem at once.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "scenario.hpp"

using namespace ampacity;

namespace {

Value small_model() {
  Value document;
  document.set("name", "small");
  document.set("layers", 4);
  document.set("hidden", 256);
  document.set("ffn", 1024);
  document.set("heads", 4);
  document.set("vocab", 1000);
  return document;
}

std::vector<Problem> problems_of(const Value& document) {
  try {
    (void)decode<Model>(document);
  } catch (const InvalidSpec& error) {
    return error.problems();
  }
  return {};
}

bool names(const std::vector<Problem>& problems, const std::string& path) {
  for (const Problem& problem : problems) {
    if (problem.path == path) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("defaults follow from other fields") {
  const Model model = decode<Model>(small_model());
  CHECK(model.kv_heads == 4);
  CHECK(model.head_dim == 64);
  CHECK(model.value_head_dim == 64);
}

TEST_CASE("decode undoes encode for every document of the catalogue") {
  const Catalogue& catalogue = Catalogue::builtin();
  for (const std::string& name : catalogue.names("cluster")) {
    const Cluster cluster = catalogue.get<Cluster>(name);
    CHECK_MESSAGE(decode<Cluster>(encode(cluster)) == cluster, name);
  }
  for (const std::string& name : catalogue.names("model")) {
    const Model model = catalogue.get<Model>(name);
    CHECK_MESSAGE(decode<Model>(encode(model)) == model, name);
  }
}

TEST_CASE("all problems are named at once, each with its path") {
  Value document = small_model();
  document.set("layers", -3);
  document.set("hidden", std::nan(""));
  document.set("ffn", std::numeric_limits<double>::infinity());
  document.set("heads", "four");
  document.set("vocab", 1e30);
  document.set("activation", "swigloo");
  document.set("hiden", 12);
  const std::vector<Problem> problems = problems_of(document);
  CHECK(problems.size() == 7);
  for (const char* key : {"layers", "hidden", "ffn", "heads", "vocab", "activation", "hiden"}) {
    CHECK_MESSAGE(names(problems, std::string("model.") + key), key);
  }
}

TEST_CASE("near names are suggested") {
  Value document = small_model();
  document.set("hiden", 12);
  document.set("activation", "swigloo");
  for (const Problem& problem : problems_of(document)) {
    if (problem.path == "model.hiden") CHECK(problem.hint == "did you mean hidden?");
    if (problem.path == "model.activation") CHECK(problem.hint == "did you mean swiglu?");
  }
  try {
    (void)Catalogue::builtin().get<Model>("llama-3.1-405");
    FAIL("no error");
  } catch (const UnknownName& error) {
    CHECK(std::string(error.what()).find("llama-3.1-405b") != std::string::npos);
  }
}

TEST_CASE("a field must have its type") {
  const auto refuses = [](const char* key, Value value) {
    Value document = small_model();
    document.set(key, std::move(value));
    return problems_of(document).size() == 1;
  };
  CHECK(refuses("layers", true));
  CHECK(refuses("layers", 2.5));
  CHECK(refuses("layers", Value::List{Value(1)}));
  CHECK(refuses("name", ""));
  CHECK(refuses("name", 3));
  CHECK(refuses("biases", 1));
  CHECK(refuses("activation", 2));
  CHECK(refuses("tokens", "many"));
  CHECK(refuses("layers", Value{}));
  CHECK_FALSE(refuses("layers", 8.0));  // a whole real number is a count
  CHECK_FALSE(refuses("tokens", 1000));
}

TEST_CASE("missing fields are named with what they mean") {
  Value document;
  document.set("name", "empty");
  const std::vector<Problem> problems = problems_of(document);
  CHECK(problems.size() == 5);
  CHECK(problems.front().text() == "model.layers: is missing; transformer layers");
}

TEST_CASE("rules between fields") {
  Value document = small_model();
  document.set("kv_heads", 3);
  CHECK(names(problems_of(document), "model.kv_heads"));
  document = small_model();
  document.set("heads", 7);
  CHECK(names(problems_of(document), "model.heads"));
  document = small_model();
  document.set("experts", 4);
  document.set("experts_per_token", 8);
  CHECK(names(problems_of(document), "model.experts_per_token"));
}

TEST_CASE("values may carry source and confidence") {
  Value layers;
  layers.set("value", 6);
  layers.set("source", "a paper");
  layers.set("confidence", "measured");
  Value document = small_model();
  document.set("layers", layers);
  CHECK(decode<Model>(document).layers == 6);
}

TEST_CASE("users add documents that refer to each other in any order") {
  Value model = small_model();
  model.set("kind", "model");
  Value site = *Catalogue::builtin().document("site", "generic-us").get_if<Value::Table>();
  site.set("name", "mine");
  site.set("grid", "my-grid");
  Value grid;
  grid.set("kind", "grid");
  grid.set("name", "my-grid");
  grid.set("carbon_kg_per_mwh", 12.5);
  const Catalogue mine = Catalogue::builtin().with({site, grid, model});
  CHECK(mine.get<Site>("mine").grid.carbon_kg_per_mwh == 12.5);
  CHECK(mine.get<Model>("small").layers == 4);
  CHECK_FALSE(Catalogue::builtin().contains("model", "small"));
}

TEST_CASE("documents without kind or name, or of an unknown kind, are refused") {
  Value nameless;
  nameless.set("kind", "model");
  CHECK_THROWS_AS((void)Catalogue::builtin().with({nameless}), InvalidSpec);
  Value unknown = small_model();
  unknown.set("kind", "modle");
  try {
    (void)Catalogue::builtin().with({unknown});
    FAIL("no error");
  } catch (const InvalidSpec& error) {
    CHECK(error.problems().front().hint.find("model") != std::string::npos);
  }
}

TEST_CASE("every document of the catalogue is valid") {
  const Catalogue& catalogue = Catalogue::builtin();
  std::vector<Value> all;
  for (const std::string& kind : catalogue.kinds()) {
    for (const std::string& name : catalogue.names(kind)) all.push_back(catalogue.document(kind, name));
  }
  CHECK(all.size() > 150);
  CHECK_NOTHROW((void)catalogue.with(all));
}

TEST_CASE("an optional number that must not be 0 is refused as 0 and absent where it was not given") {
  Value job;
  job.set("model", "llama-3.1-8b");
  CHECK(decode<Training>(job).global_batch == Catalogue::builtin().get<Model>("llama-3.1-8b").global_batch);
  for (const char* key : {"global_batch", "seq_len", "tokens"}) {
    Value zero = job;
    zero.set(key, 0);
    CHECK_THROWS_AS((void)decode<Training>(zero), InvalidSpec);
  }
  // A model without a published number of tokens leaves the job without one; that survives a round trip.
  job.set("model", "mixtral-8x7b");
  const Training open = decode<Training>(job);
  CHECK(open.tokens == 0);
  CHECK(decode<Training>(encode(open)) == open);
}
