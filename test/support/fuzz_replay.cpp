// main() of the fuzzers where there is no libFuzzer: every file of a corpus folder, then seeded
// mutations of them. Finds less than libFuzzer, but runs everywhere and the same each time.
//
//   PROGRAM CORPUS_FOLDER_OR_FILE [ROUNDS] [SEED]
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "test/support/seeded_random.h"

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Input = std::vector<std::uint8_t>;
constexpr std::uint64_t kRounds = 20'000;
constexpr std::uint64_t kSeed = 20'240'607;
constexpr std::size_t kInputBytesMax = 64U << 10U;

Input read_input(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// The corpus in the order of its names, so that a seed always means the same inputs.
std::vector<std::filesystem::path> list_corpus(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return {path};
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

void mutate(Input& input, const std::vector<Input>& corpus, satchel::test::SeededRandom& random) {
  const auto position = [&] { return static_cast<std::ptrdiff_t>(random.below(input.size() + 1)); };
  const auto byte = [&] { return static_cast<std::uint8_t>(random.below(256)); };
  switch (random.below(6)) {
    case 0:  // one bit
      if (!input.empty())
        input[random.below(input.size())] ^= static_cast<std::uint8_t>(1U << random.below(8));
      break;
    case 1:  // one byte; ends of the range find more than the middle
      if (!input.empty()) {
        input[random.below(input.size())] =
            random.one_in(2) ? byte() : static_cast<std::uint8_t>(random.one_in(2) ? 0xFF : 0x80);
      }
      break;
    case 2:  // cut
      input.resize(random.below(input.size() + 1));
      break;
    case 3:  // insert
      input.insert(input.begin() + position(), byte());
      break;
    case 4: {  // remove a piece
      const auto from = position();
      const auto rest = static_cast<std::uint64_t>(input.end() - input.begin() - from);
      input.erase(input.begin() + from,
                  input.begin() + from + static_cast<std::ptrdiff_t>(random.below(rest + 1)));
      break;
    }
    default: {  // the end of another
      const Input& other = corpus[random.below(corpus.size())];
      const auto from = static_cast<std::ptrdiff_t>(random.below(other.size() + 1));
      input.resize(random.below(input.size() + 1));
      input.insert(input.end(), other.begin() + from, other.end());
      break;
    }
  }
  if (input.size() > kInputBytesMax) input.resize(kInputBytesMax);
}

}  // namespace

int main(int argument_count, char** argument_values) {
  const std::span arguments(argument_values, static_cast<std::size_t>(argument_count));
  if (arguments.size() < 2) {
    (void)std::fprintf(stderr, "usage: %s CORPUS [ROUNDS] [SEED]\n", arguments[0]);
    return 2;
  }
  const std::uint64_t rounds =
      arguments.size() > 2 ? std::strtoull(arguments[2], nullptr, 0) : kRounds;
  const std::uint64_t seed = arguments.size() > 3 ? std::strtoull(arguments[3], nullptr, 0)
                                                  : satchel::test::test_seed(kSeed);
  (void)std::printf("seed %llu\n", static_cast<unsigned long long>(seed));

  std::vector<Input> corpus;
  for (const auto& file : list_corpus(arguments[1])) {
    (void)std::printf("replay %s\n", file.filename().c_str());
    (void)std::fflush(stdout);  // so that a crash names its file
    corpus.push_back(read_input(file));
    (void)LLVMFuzzerTestOneInput(corpus.back().data(), corpus.back().size());
  }
  if (corpus.empty()) {
    (void)std::fprintf(stderr, "the corpus %s is empty\n", arguments[1]);
    return 1;
  }
  satchel::test::SeededRandom random(seed);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    Input input = corpus[random.below(corpus.size())];
    for (std::uint64_t count = 1 + random.below(4); count > 0; --count)
      mutate(input, corpus, random);
    (void)LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  (void)std::printf("%zu files, %llu mutations\n", corpus.size(),
                    static_cast<unsigned long long>(rounds));
  return 0;
}
