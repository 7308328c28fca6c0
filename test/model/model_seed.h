// Which random cases a program tries, and how to have a failure again.
#pragma once

#include <cstdint>
#include <cstdio>

#include "test/model/random_tree.h"

namespace satchel::model {

/// How many: the environment's SATCHEL_MODEL_CASES, else `otherwise`.
inline std::uint64_t model_cases(std::uint64_t otherwise) {
  return number_from_environment("SATCHEL_MODEL_CASES", otherwise);
}

/// The first one's seed: the environment's SATCHEL_SEED, else 1. Printed once.
inline std::uint64_t model_seed() {
  static const std::uint64_t seed = [] {
    const std::uint64_t number = number_from_environment("SATCHEL_SEED", 1);
    std::printf("SATCHEL_SEED=%llu\n", static_cast<unsigned long long>(number));
    return number;
  }();
  return seed;
}

}  // namespace satchel::model
