// Mediation, case by case, with what a person would expect of each.
#include <doctest/doctest.h>

#include "test/model/laws.h"
#include "test/model/random_tree.h"

namespace satchel::model {
namespace {

Node file(const std::string& content, std::int64_t mtime_s = 1) {
  Node node;
  node.mode = 0644;
  node.mtime_s = mtime_s;
  node.content = Content::of(content);
  return node;
}

Node symlink(const std::string& target) {
  Node node;
  node.kind = Kind::kSymlink;
  node.mode = 0777;
  node.target = target;
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

/// What one side does to file "f".
enum class Deed { kNone, kCreate, kModify, kDelete, kRename, kChmod, kXattr, kChangeKind, kLink };

/// `letter`: c or s, so that both sides' deeds differ.
Tree after(const Tree& base, Deed deed, char letter, Rng& rng) {
  TreeEditor editor(base, rng);
  const std::string upper(1, static_cast<char>(letter - 'a' + 'A'));
  const std::string lower(1, letter);
  bool done = true;
  switch (deed) {
    case Deed::kNone:
      break;
    case Deed::kCreate:
      done = editor.create("n", file(upper));
      break;
    case Deed::kModify:
      done = editor.modify("f", [&](Node& node) { node.content = Content::of(upper); });
      break;
    case Deed::kDelete:
      done = editor.remove("f");
      break;
    case Deed::kRename:
      done = editor.rename("f", "r" + lower);
      break;
    case Deed::kChmod:
      done = editor.modify("f", [&](Node& node) { node.mode = letter == 'c' ? 0600 : 0640; });
      break;
    case Deed::kXattr:
      done = editor.modify("f", [&](Node& node) { node.xattrs["user.who"] = lower; });
      break;
    case Deed::kChangeKind:
      done = editor.remove("f") && editor.create("f", symlink(upper));
      break;
    case Deed::kLink:
      done = editor.link("f", "l" + lower);
      break;
  }
  REQUIRE(done);
  return editor.tree();
}

/// "f=B:c+s~": file f, content B, mode of the client, xattr of the server, linked. "f>S": a
/// symlink.
std::string summary(const Tree& tree) {
  std::string text;
  for (const Place& place : list_places(tree)) {
    const Node& node = *place.node;
    text += (text.empty() ? "" : " ") + place.path;
    text += node.kind == Kind::kSymlink ? ">" + node.target : "=" + node.content.bytes;
    if (node.mode == 0600) text += ":c";
    if (node.mode == 0640) text += ":s";
    const auto who = node.xattrs.find("user.who");
    if (who != node.xattrs.end()) text += "+" + who->second;
    if (node.linked) text += "~";
  }
  return text;
}

std::string summary(const Mediation& result) {
  std::string text = summary(result.merged);
  for (const Conflict& conflict : result.conflicts) {
    text += (text.empty() ? "!" : " !") + conflict.path + " " + to_text(conflict.kind);
  }
  return text;
}

struct Row {
  Deed client;
  Deed server;
  std::string expected;
};

// What both did to "f", content B; the server is live. Where a name "f" is kept beside its renamed
// self, or a link is changed on one side only, the two names are two files from then on.
const Row kTable[] = {
    {Deed::kNone, Deed::kNone, "f=B"},
    {Deed::kNone, Deed::kCreate, "f=B n=S"},
    {Deed::kNone, Deed::kModify, "f=S"},
    {Deed::kNone, Deed::kDelete, ""},
    {Deed::kNone, Deed::kRename, "rs=B"},
    {Deed::kNone, Deed::kChmod, "f=B:s"},
    {Deed::kNone, Deed::kXattr, "f=B+s"},
    {Deed::kNone, Deed::kChangeKind, "f>S"},
    {Deed::kNone, Deed::kLink, "f=B~ ls=B~"},
    {Deed::kCreate, Deed::kNone, "f=B n=C"},
    {Deed::kCreate, Deed::kCreate, "f=B n=S !n content"},
    {Deed::kCreate, Deed::kModify, "f=S n=C"},
    {Deed::kCreate, Deed::kDelete, "n=C"},
    {Deed::kCreate, Deed::kRename, "n=C rs=B"},
    {Deed::kCreate, Deed::kChmod, "f=B:s n=C"},
    {Deed::kCreate, Deed::kXattr, "f=B+s n=C"},
    {Deed::kCreate, Deed::kChangeKind, "f>S n=C"},
    {Deed::kCreate, Deed::kLink, "f=B~ ls=B~ n=C"},
    {Deed::kModify, Deed::kNone, "f=C"},
    {Deed::kModify, Deed::kCreate, "f=C n=S"},
    {Deed::kModify, Deed::kModify, "f=S !f content"},
    {Deed::kModify, Deed::kDelete, "f=C !f deleted"},
    {Deed::kModify, Deed::kRename, "f=C rs=B !f deleted"},
    {Deed::kModify, Deed::kChmod, "f=C:s"},
    {Deed::kModify, Deed::kXattr, "f=C+s"},
    {Deed::kModify, Deed::kChangeKind, "f>S !f kind"},
    {Deed::kModify, Deed::kLink, "f=C ls=B"},
    {Deed::kDelete, Deed::kNone, ""},
    {Deed::kDelete, Deed::kCreate, "n=S"},
    {Deed::kDelete, Deed::kModify, "f=S !f deleted"},
    {Deed::kDelete, Deed::kDelete, ""},
    {Deed::kDelete, Deed::kRename, "rs=B"},
    {Deed::kDelete, Deed::kChmod, "f=B:s !f deleted"},
    {Deed::kDelete, Deed::kXattr, "f=B+s !f deleted"},
    {Deed::kDelete, Deed::kChangeKind, "f>S !f deleted"},
    {Deed::kDelete, Deed::kLink, "f=B~ ls=B~ !f deleted"},
    {Deed::kRename, Deed::kNone, "rc=B"},
    {Deed::kRename, Deed::kCreate, "n=S rc=B"},
    {Deed::kRename, Deed::kModify, "f=S rc=B !f deleted"},
    {Deed::kRename, Deed::kDelete, "rc=B"},
    {Deed::kRename, Deed::kRename, "rc=B rs=B"},
    {Deed::kRename, Deed::kChmod, "f=B:s rc=B !f deleted"},
    {Deed::kRename, Deed::kXattr, "f=B+s rc=B !f deleted"},
    {Deed::kRename, Deed::kChangeKind, "f>S rc=B !f deleted"},
    {Deed::kRename, Deed::kLink, "f=B~ ls=B~ rc=B !f deleted"},
    {Deed::kChmod, Deed::kNone, "f=B:c"},
    {Deed::kChmod, Deed::kCreate, "f=B:c n=S"},
    {Deed::kChmod, Deed::kModify, "f=S:c"},
    {Deed::kChmod, Deed::kDelete, "f=B:c !f deleted"},
    {Deed::kChmod, Deed::kRename, "f=B:c rs=B !f deleted"},
    {Deed::kChmod, Deed::kChmod, "f=B:s !f attributes"},
    {Deed::kChmod, Deed::kXattr, "f=B:c+s"},
    {Deed::kChmod, Deed::kChangeKind, "f>S !f kind"},
    {Deed::kChmod, Deed::kLink, "f=B:c ls=B"},
    {Deed::kXattr, Deed::kNone, "f=B+c"},
    {Deed::kXattr, Deed::kCreate, "f=B+c n=S"},
    {Deed::kXattr, Deed::kModify, "f=S+c"},
    {Deed::kXattr, Deed::kDelete, "f=B+c !f deleted"},
    {Deed::kXattr, Deed::kRename, "f=B+c rs=B !f deleted"},
    {Deed::kXattr, Deed::kChmod, "f=B:s+c"},
    {Deed::kXattr, Deed::kXattr, "f=B+s !f attributes"},
    {Deed::kXattr, Deed::kChangeKind, "f>S !f kind"},
    {Deed::kXattr, Deed::kLink, "f=B+c ls=B"},
    {Deed::kChangeKind, Deed::kNone, "f>C"},
    {Deed::kChangeKind, Deed::kCreate, "f>C n=S"},
    {Deed::kChangeKind, Deed::kModify, "f=S !f kind"},
    {Deed::kChangeKind, Deed::kDelete, "f>C !f deleted"},
    {Deed::kChangeKind, Deed::kRename, "f>C rs=B !f deleted"},
    {Deed::kChangeKind, Deed::kChmod, "f=B:s !f kind"},
    {Deed::kChangeKind, Deed::kXattr, "f=B+s !f kind"},
    {Deed::kChangeKind, Deed::kChangeKind, "f>S !f content"},
    {Deed::kChangeKind, Deed::kLink, "f=B~ ls=B~ !f kind"},
    {Deed::kLink, Deed::kNone, "f=B~ lc=B~"},
    {Deed::kLink, Deed::kCreate, "f=B~ lc=B~ n=S"},
    {Deed::kLink, Deed::kModify, "f=S lc=B"},
    {Deed::kLink, Deed::kDelete, "f=B~ lc=B~ !f deleted"},
    {Deed::kLink, Deed::kRename, "f=B~ lc=B~ rs=B !f deleted"},
    {Deed::kLink, Deed::kChmod, "f=B:s lc=B"},
    {Deed::kLink, Deed::kXattr, "f=B+s lc=B"},
    {Deed::kLink, Deed::kChangeKind, "f>S lc=B !f kind"},
    {Deed::kLink, Deed::kLink, "f=B~ lc=B~ ls=B~"},
};

TEST_SUITE("model/mediation") {
  TEST_CASE("all pairs of deeds to one file") {
    Rng rng(1);
    const Tree base = tree_of({{"f", file("B")}});
    for (const Row& row : kTable) {
      CAPTURE(static_cast<int>(row.client));
      CAPTURE(static_cast<int>(row.server));
      const Tree client = after(base, row.client, 'c', rng);
      const Tree server = after(base, row.server, 's', rng);
      const Mediation result = mediate(base, client, server, Side::kServer);
      CHECK(summary(result) == row.expected);
      const Verdict verdict = check_mediation(model_functions(), base, client, server);
      CHECK_MESSAGE(verdict.empty(), verdict);
      for (const Conflict& conflict : result.conflicts) {
        const std::string loser = summary(result.losers);
        CHECK(loser.empty() == (conflict.kind == ConflictKind::kDeleted));
      }
    }
    CHECK(std::size(kTable) == 81);
  }

  TEST_CASE("the same deed on both sides is no conflict") {
    for (const Deed deed : {Deed::kCreate, Deed::kModify, Deed::kDelete, Deed::kRename,
                            Deed::kChmod, Deed::kXattr, Deed::kChangeKind, Deed::kLink}) {
      CAPTURE(static_cast<int>(deed));
      const Tree base = tree_of({{"f", file("B")}});
      Rng rng(1);
      Rng other_rng(2);  // both sides choose random file ids of their own
      const Tree client = after(base, deed, 'c', rng);
      const Tree server = after(base, deed, 'c', other_rng);
      const Mediation result = mediate(base, client, server, Side::kServer);
      CHECK(result.merged == server);
      CHECK(result.conflicts.empty());
      CHECK(result.losers == empty_tree());
    }
  }

  TEST_CASE("content of one side and mode of the other come together") {
    const Tree base = tree_of({{"f", file("1", 10)}});
    Tree client = base;
    client.root.children["f"] = file("2", 20);
    Tree server = base;
    server.root.children["f"].mode = 0600;
    server.root.children["f"].mtime_s = 30;
    const Mediation result = mediate(base, client, server, Side::kServer);
    const Node& merged = result.merged.root.children.at("f");
    CHECK(merged.content == Content::of("2"));
    CHECK(merged.mode == 0600);
    CHECK(merged.mtime_s == 20);  // that of the content
    CHECK(result.conflicts.empty());
  }

  TEST_CASE("an edit keeps what it needs of a removed directory and no more") {
    const Tree base = tree_of({{"d", directory({{"edited", file("1")}, {"other", file("1")}})}});
    Tree client = base;
    client.root.children["d"].children["edited"] = file("2");
    const Mediation result = mediate(base, client, tree_of({}), Side::kServer);
    CHECK(result.merged == tree_of({{"d", directory({{"edited", file("2")}})}}));
    CHECK(result.conflicts ==
          std::vector<Conflict>{{"d/edited", ConflictKind::kDeleted, Side::kServer}});
  }

  TEST_CASE("a directory that both removed from is gone, whatever its mode") {
    const Tree base = tree_of({{"d", directory({{"f", file("1")}})}});
    Tree client = base;
    client.root.children["d"] = directory();
    client.root.children["d"].mode = 0700;
    CHECK(mediate(base, client, tree_of({}), Side::kServer).merged == tree_of({}));
  }

  TEST_CASE("a directory put where the other side removed a file stays even when empty") {
    const Tree base = tree_of({{"f", file("1")}});
    const Tree client = tree_of({{"f", directory()}});
    const Mediation result = mediate(base, client, tree_of({}), Side::kServer);
    CHECK(result.merged == client);
    CHECK(result.conflicts == std::vector<Conflict>{{"f", ConflictKind::kDeleted, Side::kServer}});
  }

  TEST_CASE("a file against a directory keeps all of the loser") {
    const Tree base = tree_of({{"x", file("1")}});
    const Tree client = tree_of({{"x", directory({{"in", file("c")}})}});
    const Tree server = tree_of({{"x", file("2")}});
    const Mediation result = mediate(base, client, server, Side::kServer);
    CHECK(result.merged == server);
    CHECK(result.losers == client);
    CHECK(result.conflicts == std::vector<Conflict>{{"x", ConflictKind::kKind, Side::kClient}});
  }

  TEST_CASE("two fifos of different modes are one kind") {
    Node fifo;
    fifo.kind = Kind::kFifo;
    const Tree base = tree_of({{"p", fifo}});
    Tree client = base;
    client.root.children["p"].mode = 0600;
    Tree server = base;
    server.root.children["p"].uid = 7;
    const Mediation result = mediate(base, client, server, Side::kServer);
    CHECK(result.merged.root.children.at("p").mode == 0600);
    CHECK(result.merged.root.children.at("p").uid == 7);
    CHECK(result.conflicts.empty());
  }

  TEST_CASE("a directory renamed here and edited there is two directories with two ids") {
    Rng rng(1);
    TreeEditor base(tree_of({}), rng);
    REQUIRE(base.create("d", directory()));
    REQUIRE(base.create("d/f", file("1")));
    REQUIRE(base.create("d/g", file("1")));
    TreeEditor client(base.tree(), rng);
    REQUIRE(client.modify("d/f", [](Node& node) { node.content = Content::of("2"); }));
    TreeEditor server(base.tree(), rng);
    REQUIRE(server.rename("d", "e"));
    const Mediation result = mediate(base.tree(), client.tree(), server.tree(), Side::kServer);
    CHECK(summary(result) == "d= d/f=2 e= e/f=1 e/g=1 !d/f deleted");
    const Verdict verdict = check_distinct_tree(result.merged);
    CHECK_MESSAGE(verdict.empty(), verdict);
  }

  // Telling one pair apart by the default id would have met the id of a third.
  TEST_CASE("a chain of renames against an edit leaves three file ids") {
    Rng rng(1);
    TreeEditor base(tree_of({{"a", file("1")}, {"b", file("2")}}), rng);
    TreeEditor client(base.tree(), rng);
    REQUIRE(client.rename("b", "c"));
    REQUIRE(client.rename("a", "b"));
    TreeEditor server(base.tree(), rng);
    REQUIRE(server.modify("a", [](Node& node) { node.content = Content::of("3"); }));
    const Mediation result = mediate(base.tree(), client.tree(), server.tree(), Side::kServer);
    CHECK(summary(result) == "a=3 b=1 c=2 !a deleted");
    const Verdict verdict = check_distinct_tree(result.merged);
    CHECK_MESSAGE(verdict.empty(), verdict);
  }

  TEST_CASE("an edit of a linked file on one side reaches all its names") {
    Rng rng(1);
    TreeEditor base(tree_of({{"f", file("1")}, {"d", directory()}}), rng);
    REQUIRE(base.link("f", "d/g"));
    TreeEditor client(base.tree(), rng);
    REQUIRE(client.modify("f", [](Node& node) { node.content = Content::of("2"); }));
    TreeEditor server(base.tree(), rng);
    REQUIRE(server.modify("d/g", [](Node& node) { node.mode = 0600; }));
    const Mediation result = mediate(base.tree(), client.tree(), server.tree(), Side::kServer);
    CHECK(summary(result) == "d= d/g=2:c~ f=2:c~");
    CHECK(result.conflicts.empty());
  }
}

}  // namespace
}  // namespace satchel::model
