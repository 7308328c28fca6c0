#include "base/sha256.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/result.h"

namespace satchel {
namespace {

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
struct FreeAlgorithm {
  void operator()(EVP_MD* algorithm) const { EVP_MD_free(algorithm); }
};
using ContextPtr = std::unique_ptr<EVP_MD_CTX, FreeContext>;

// Fetched once: OpenSSL 3 looks an algorithm up by name on each implicit use, which costs more than
// hashing a small chunk.
const EVP_MD* algorithm() {
  static const std::unique_ptr<EVP_MD, FreeAlgorithm> fetched(
      EVP_MD_fetch(nullptr, "SHA256", nullptr));
  SATCHEL_ASSERT(fetched != nullptr);
  return fetched.get();
}

ContextPtr make_context() {
  ContextPtr context(EVP_MD_CTX_new());
  SATCHEL_ASSERT(context != nullptr);
  return context;
}

void begin(EVP_MD_CTX* context) {
  SATCHEL_ASSERT(EVP_DigestInit_ex2(context, algorithm(), nullptr) == 1);
}

void add(EVP_MD_CTX* context, std::span<const std::byte> bytes) {
  SATCHEL_ASSERT(EVP_DigestUpdate(context, bytes.data(), bytes.size()) == 1);
}

Sha256Value end(EVP_MD_CTX* context) {
  Sha256Value value{};
  unsigned int written = 0;
  SATCHEL_ASSERT(
      EVP_DigestFinal_ex(context, reinterpret_cast<unsigned char*>(value.data()), &written) == 1);
  SATCHEL_ASSERT(written == value.size());
  return value;
}

}  // namespace

Sha256Value sha256(std::span<const std::byte> bytes) {
  thread_local const ContextPtr context = make_context();
  begin(context.get());
  add(context.get(), bytes);
  return end(context.get());
}

Sha256Value hmac_sha256(std::span<const std::byte> key, std::span<const std::byte> bytes) {
  // OpenSSL takes a null key to mean "the key of last time".
  static constexpr std::byte kEmpty{};
  const std::byte* const key_bytes = key.empty() ? &kEmpty : key.data();
  Sha256Value value{};
  unsigned int written = 0;
  SATCHEL_ASSERT(HMAC(EVP_sha256(), key_bytes, static_cast<int>(key.size()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                      reinterpret_cast<unsigned char*>(value.data()), &written) != nullptr);
  SATCHEL_ASSERT(written == value.size());
  return value;
}

struct Sha256::Context {
  ContextPtr evp = make_context();
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  begin(context_->evp.get());
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

Sha256& Sha256::update(std::span<const std::byte> bytes) {
  add(context_->evp.get(), bytes);
  return *this;
}

Sha256Value Sha256::finish() {
  const Sha256Value value = end(context_->evp.get());
  begin(context_->evp.get());
  return value;
}

}  // namespace satchel
