#include "fs/interruption.h"

namespace satchel::fs {
namespace {

// Per thread: a request is served by one thread from start to end, and the waits are far below the
// handler.
thread_local InterruptionScope* innermost = nullptr;

}  // namespace

InterruptionScope::InterruptionScope(Question question, void* context)
    : question_(question), context_(context), outer_(innermost) {
  innermost = this;
}

InterruptionScope::~InterruptionScope() {
  innermost = outer_;
}

bool InterruptionScope::is_interrupted() {
  return innermost != nullptr && innermost->question_(innermost->context_);
}

bool InterruptionScope::is_serving() {
  return innermost != nullptr;
}

}  // namespace satchel::fs
