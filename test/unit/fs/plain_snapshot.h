// The tree that a sealed upper stands for, made by the plainest means: reads all, skips nothing.
#pragma once

#include <map>

#include "store/live_upper.h"
#include "store/tree_store.h"
#include "test/unit/fs/view_fixture.h"

namespace satchel::fs::test {

struct PlainSnapshot {
  store::RootId root;
  std::map<store::UpperId, store::ContentId> contents;
};
PlainSnapshot take_plain_snapshot(const store::SealedUpper& sealed, store::LiveUpper& upper,
                                  store::TreeStore& trees, MemoryContents& contents,
                                  const redirector::Router& router);

}  // namespace satchel::fs::test
