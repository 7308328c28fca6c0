#include "base/sha256.h"

#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <vector>

#include "base/digest.h"

namespace satchel {
namespace {

TEST_SUITE("base/sha256") {
  TEST_CASE("digests of FIPS 180-2 examples") {
    struct Row {
      std::string text;
      std::string expected;
    };
    const Row rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {std::string(1'000'000, 'a'),
         "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    };
    for (const Row& row : rows) {
      CAPTURE(row.expected);
      CHECK(to_hex(sha256(as_bytes(row.text))) == row.expected);
    }
  }

  TEST_CASE("a digest over pieces equals the digest of the whole, and a finished one starts anew") {
    const std::string text = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    Sha256 pieces;
    for (int round = 0; round < 2; ++round) {
      for (const char byte : text) pieces.update(as_bytes({&byte, 1}));
      CHECK(pieces.finish() == sha256(as_bytes(text)));
    }
    CHECK(pieces.finish() == sha256({}));
  }

  TEST_CASE("a moved digest goes on where it was") {
    Sha256 first;
    first.update(as_bytes("ab"));
    Sha256 second = std::move(first);
    second.update(as_bytes("c"));
    CHECK(second.finish() == sha256(as_bytes("abc")));
  }

  TEST_CASE("keyed digests of RFC 4231 examples, and with an empty key") {
    struct Row {
      std::string key;
      std::string text;
      std::string expected;
    };
    const Row rows[] = {
        {std::string(20, '\x0b'), "Hi There",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"Jefe", "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {"", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
    };
    for (const Row& row : rows) {
      CAPTURE(row.expected);
      CHECK(to_hex(hmac_sha256(as_bytes(row.key), as_bytes(row.text))) == row.expected);
    }
  }

  TEST_CASE("threads hash at once without mixing their bytes") {
    std::vector<std::thread> threads;
    std::vector<Sha256Value> values(4);
    for (std::size_t i = 0; i < values.size(); ++i) {
      threads.emplace_back([&values, i] {
        const std::string text(10'000, static_cast<char>('a' + i));
        for (int round = 0; round < 200; ++round) values[i] = sha256(as_bytes(text));
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (std::size_t i = 0; i < values.size(); ++i) {
      CHECK(values[i] == sha256(as_bytes(std::string(10'000, static_cast<char>('a' + i)))));
    }
  }
}

}  // namespace
}  // namespace satchel
