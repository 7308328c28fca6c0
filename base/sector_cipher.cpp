#include "base/sector_cipher.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cstring>

#include "base/result.h"

namespace satchel {
namespace {

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};

const unsigned char* as_openssl(const std::byte* bytes) {
  return reinterpret_cast<const unsigned char*>(bytes);
}

}  // namespace

SectorCipher::SectorCipher(Random& random) {
  const auto halves_are_equal = [&] {
    return std::equal(key_.begin(), key_.begin() + key_.size() / 2, key_.begin() + key_.size() / 2);
  };
  // XTS takes no key with equal halves; chance never makes one.
  do {
    random.fill(key_);
  } while (halves_are_equal());
}

SectorCipher::~SectorCipher() {
  OPENSSL_cleanse(key_.data(), key_.size());
}

void SectorCipher::encrypt(std::uint64_t file, std::uint64_t sector, Sector bytes) const {
  run(Direction::kEncrypt, file, sector, bytes);
}

void SectorCipher::decrypt(std::uint64_t file, std::uint64_t sector, Sector bytes) const {
  run(Direction::kDecrypt, file, sector, bytes);
}

void SectorCipher::run(Direction direction, std::uint64_t file, std::uint64_t sector,
                       Sector bytes) const {
  std::array<std::byte, 16> tweak{};
  std::memcpy(tweak.data(), &file, sizeof file);
  std::memcpy(tweak.data() + sizeof file, &sector, sizeof sector);
  const std::unique_ptr<EVP_CIPHER_CTX, FreeContext> context(EVP_CIPHER_CTX_new());
  SATCHEL_ASSERT(context != nullptr);
  int length = 0;
  auto* const out = reinterpret_cast<unsigned char*>(bytes.data());
  const bool is_done =
      EVP_CipherInit_ex2(context.get(), EVP_aes_256_xts(), as_openssl(key_.data()),
                         as_openssl(tweak.data()), static_cast<int>(direction), nullptr) == 1 &&
      EVP_CipherUpdate(context.get(), out, &length, out, static_cast<int>(bytes.size())) == 1;
  SATCHEL_ASSERT(is_done && length == static_cast<int>(kSectorBytes));
}

}  // namespace satchel
