// The laws of trees on the reference model itself, and that their checks would find mistakes.
#include "test/model/laws.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <set>

#include "test/model/random_tree.h"

namespace satchel::model {
namespace {

std::uint64_t cases() {
  return number_from_environment("SATCHEL_MODEL_CASES", 4000);
}

/// Printed, so that a failure can be had again.
std::uint64_t first_seed() {
  static const std::uint64_t seed = [] {
    const std::uint64_t number = number_from_environment("SATCHEL_SEED", 1);
    std::printf("SATCHEL_SEED=%llu SATCHEL_MODEL_CASES=%llu\n",
                static_cast<unsigned long long>(number), static_cast<unsigned long long>(cases()));
    return number;
  }();
  return seed;
}

std::string hex_digest(const Content& content) {
  FileId half;
  std::string text;
  for (std::size_t i = 0; i < 2; ++i) {
    std::copy_n(content.digest.begin() + static_cast<std::ptrdiff_t>(16 * i), 16,
                half.bytes.begin());
    text += hex(half);
  }
  return text;
}

Node file(const std::string& content, std::int64_t mtime_s = 1) {
  Node node;
  node.mode = 0644;
  node.mtime_s = mtime_s;
  node.content = Content::of(content);
  return node;
}

Node directory(std::map<std::string, Node> children = {}) {
  Node node = empty_tree().root;
  node.children = std::move(children);
  return node;
}

Tree tree_of(std::map<std::string, Node> children) {
  return {directory(std::move(children))};
}

TEST_SUITE("model") {
  TEST_CASE("every law holds on random cases") {
    const Functions functions = model_functions();
    for (std::uint64_t i = 0; i < cases(); ++i) {
      const Verdict verdict = check_random_case(functions, first_seed() + i);
      REQUIRE_MESSAGE(verdict.empty(), verdict);
    }
  }

  TEST_CASE("pages are cut by their keys and limits alone") {
    const Functions functions = model_functions();
    for (std::uint64_t i = 0; i < 20; ++i) {
      const Verdict verdict = check_random_pages(functions, first_seed() + i);
      REQUIRE_MESSAGE(verdict.empty(), verdict);
    }
  }

  TEST_CASE("a page cut changes only near the change") {
    Rng rng(first_seed());
    std::vector<PageItem> items = page_items(rng, 20'000, 60, 0);
    const Pages before = page_cut(items, 0);
    items.erase(items.begin() + 7000);
    const Pages after = page_cut(items, 0);
    const std::set<std::string> old_pages = [&] {
      std::set<std::string> pages;
      for (const auto& page : before) pages.insert(page.front().key + '\n' + page.back().key);
      return pages;
    }();
    int fresh = 0;
    for (const auto& page : after) {
      if (!old_pages.contains(page.front().key + '\n' + page.back().key)) ++fresh;
    }
    CHECK(fresh <= 3);
    CHECK(page_levels(items).size() >= 2);
    CHECK(page_levels(items).back().size() == 1);
    CHECK(page_levels({}).size() == 1);
  }

  TEST_CASE("random trees and edits keep the rules of a tree") {
    for (std::uint64_t i = 0; i < cases() / 4; ++i) {
      Rng rng(first_seed() + i);
      const Tree tree = random_tree(rng, 40);
      const Verdict verdict = check_distinct_tree(tree);
      REQUIRE_MESSAGE(verdict.empty(), verdict);
      Rng again(first_seed() + i);
      REQUIRE(random_tree(again, 40) == tree);
    }
  }

  TEST_CASE("random cases reach what they are meant to reach") {
    std::map<std::string, int> seen;
    for (std::uint64_t i = 0; i < 500; ++i) {
      Rng rng(first_seed() + i);
      TreeEditor base(random_tree(rng, 30), rng);
      TreeEditor client(base.tree(), rng);
      client.edit_randomly(8);
      TreeEditor server(base.tree(), rng);
      server.edit_randomly(8);
      const Mediation result = mediate(base.tree(), client.tree(), server.tree(), Side::kServer);
      for (const Conflict& conflict : result.conflicts) ++seen[to_text(conflict.kind)];
      for (const Place& place : list_places(result.merged)) {
        if (place.node->linked) ++seen["linked"];
        if (place.path.find('\n') != std::string::npos) ++seen["newline"];
      }
      const Layer change = diff(base.tree(), result.merged);
      for (const Place& place : list_places(change)) {
        if (place.node->is_whiteout()) ++seen["whiteout"];
        if (place.node->opaque) ++seen["opaque"];
        if (place.node->inherit) ++seen["inherit"];
      }
    }
    for (const std::string what : {"content", "attributes", "deleted", "kind", "linked", "newline",
                                   "whiteout", "opaque", "inherit"}) {
      CAPTURE(what);
      CHECK(seen[what] >= 10);
    }
  }

  TEST_CASE("each planted bug is found") {
    for (int number = 1; number <= static_cast<int>(Bug::kPageCutSingle); ++number) {
      const Bug bug = static_cast<Bug>(number);
      CAPTURE(to_text(bug));
      const Functions functions = model_functions(bug);
      Verdict verdict;
      std::uint64_t tried = 0;
      const bool pages = bug >= Bug::kPageCutOffByOne;
      for (; verdict.empty() && tried < cases(); ++tried) {
        verdict = pages ? check_random_pages(functions, first_seed() + tried)
                        : check_random_case(functions, first_seed() + tried);
      }
      CHECK_FALSE(verdict.empty());
      MESSAGE(to_text(bug), ": case ", tried, ": ", verdict.substr(0, verdict.find('\n')));
    }
  }

  TEST_CASE("deep, wide and heavy trees hold the laws") {
    Rng rng(first_seed());
    const Tree deep = deep_tree(rng, 300);
    Tree wide = empty_tree();
    wide.root.children["wide"] = wide_directory(rng, 1025, Keys::kClosingNone);
    wide.root.children["heavy"] = heavy_directory(rng, 3000, 262144);
    const auto pages_of = [&](const char* name) {
      return page_cut(directory_items(wide.root.children.at(name)), 0);
    };
    CHECK(pages_of("wide").size() == 2);
    CHECK(pages_of("heavy").size() >= 2);
    for (const Verdict& verdict :
         {check_diff(model_functions(), deep, wide), check_diff(model_functions(), wide, deep),
          check_only_one_changed(model_functions(), deep, wide)}) {
      CHECK_MESSAGE(verdict.empty(), verdict);
    }
  }

  // Computed by another program, so that model and product cannot agree on one mistake.
  TEST_CASE("ids have the values that the specification says") {
    const FileId etc = default_file_id(root_file_id(), "etc");
    CHECK(hex(root_file_id()) == "01000000000000000000000000000000");
    CHECK(hex(etc) == "d3fed7087e71e09e6dc49317441d4e02");
    CHECK(hex(default_file_id(etc, "passwd")) == "8a4d32194ead37df8f11f15fbe526cc0");
    CHECK(hex(split_file_id(etc, "a/b")) == "f32d00deab476d229e3a2c07761938af");
    CHECK(hex_digest(Content::of("abc")) ==
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(hex_digest(Content::of(std::string(65536, 'x'))) ==
          "1f8745f0d2d1387ec1af2211a3cf417b2e9e885e853472649c1d979d0e9370e3");
    CHECK(hex_digest(Content::of(std::string(65537, 'x'))) ==
          "f7450449f56996af5742ea19b59d9f867042bd05f49129c7ffc029ab389ec96d");
    CHECK(hex_digest(Content::of(std::string(200000, 'x'))) ==
          "8b943a942cc6c30a6421f1ae65674c62ca5b1d9f25e0c4d1fca3abf10ebef6f7");
  }

  TEST_CASE("an upper directory over a removed one shows nothing of it") {
    Layer lower = empty_layer();
    lower.root.children["d"] = directory({{"old", file("1")}});
    Layer remover = empty_layer();
    remover.root.children["d"] = whiteout();
    Layer maker = empty_layer();
    maker.root.children["d"] = directory({{"new", file("2")}});
    CHECK(stack(remover, maker).root.children["d"].opaque);
    CHECK(compose({lower, remover, maker}).root.children["d"].children.size() == 1);
  }

  // The first path would keep the id as its own, and the other get the same one as its default.
  TEST_CASE("links that an upper layer made differ end with two file ids") {
    Rng rng(1);
    TreeEditor editor(tree_of({{"b", file("1")}}), rng);
    REQUIRE(editor.link("b", "a"));
    Layer upper = empty_layer();
    upper.root.children["b"] = editor.tree().root.children.at("b");
    upper.root.children["b"].content = Content::of("2");
    const Tree tree = compose({editor.tree(), upper});
    const Verdict verdict = check_distinct_tree(tree);
    CHECK_MESSAGE(verdict.empty(), verdict);
    CHECK(list_places(tree)[0].file_id == editor.file_id_of("a"));
  }

  TEST_CASE("a part may hold ways inside a directory that it holds opaque") {
    Layer layer = empty_layer();
    layer.root.children["d"] = directory({{"way", directory({{"f", file("1")}})}});
    layer.root.children["d"].opaque = true;
    const AreaOf rules = [](const std::string& path, Kind) {
      return path == "d/way" ? Area::kData : Area::kApp;
    };
    const Parts parts = split(layer, rules);
    CHECK(parts[0].root.children.at("d").children.at("way").inherit);
    const Verdict verdict = check_split(model_functions(), layer, rules, 1);
    CHECK_MESSAGE(verdict.empty(), verdict);
  }
}

}  // namespace
}  // namespace satchel::model
