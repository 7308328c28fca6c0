#include "store/codec.h"

#include <zstd.h>

#include <memory>

#include "store/format_error.h"

namespace satchel::store {
namespace {

constexpr int kLevel = 3;

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

ZSTD_CCtx* compression_context() {
  thread_local const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  SATCHEL_ASSERT(context != nullptr);
  return context.get();
}

ZSTD_DCtx* decompression_context() {
  thread_local const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  SATCHEL_ASSERT(context != nullptr);
  return context.get();
}

Result<std::vector<std::byte>> decompress_zstd(Bytes stored, std::size_t raw_length) {
  // zstd would accept several frames in a row; an entry is one.
  if (ZSTD_findFrameCompressedSize(stored.data(), stored.size()) != stored.size()) {
    return corrupted("an entry is not one zstd frame");
  }
  std::vector<std::byte> raw(raw_length);
  const std::size_t written = ZSTD_decompressDCtx(decompression_context(), raw.data(), raw.size(),
                                                  stored.data(), stored.size());
  if (ZSTD_isError(written) != 0U || written != raw_length) {
    return corrupted("an entry cannot be decompressed");
  }
  return raw;
}

}  // namespace

Encoded compress(Bytes raw) {
  // Room for one byte less than raw has: zstd gives up early where compression does not pay.
  std::vector<std::byte> packed(raw.empty() ? 0 : raw.size() - 1);
  const std::size_t written = ZSTD_compressCCtx(compression_context(), packed.data(), packed.size(),
                                                raw.data(), raw.size(), kLevel);
  if (ZSTD_isError(written) != 0U) return {Codec::kRaw, {raw.begin(), raw.end()}};
  packed.resize(written);
  return {Codec::kZstd, std::move(packed)};
}

Result<std::vector<std::byte>> decompress(Codec codec, Bytes stored, std::size_t raw_length) {
  switch (codec) {
    case Codec::kRaw:
      if (stored.size() != raw_length) return corrupted("a raw entry has another length");
      return std::vector<std::byte>(stored.begin(), stored.end());
    case Codec::kZstd:
      return decompress_zstd(stored, raw_length);
  }
  return newer_format("codec");
}

}  // namespace satchel::store
