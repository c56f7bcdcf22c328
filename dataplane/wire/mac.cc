#include "dataplane/wire/mac.h"

#include <algorithm>
#include <cstring>
#include <new>

#include <nettle/aes.h>
#include <nettle/cmac.h>
#include <nettle/md5.h>
#include <nettle/memops.h>
#include <nettle/nettle-meta.h>

#include "dataplane/wire/address.h"
#include "dataplane/wire/bytes.h"
#include "servo/units/assert.h"

namespace gnomon {
namespace {

constexpr std::size_t kKeyIdSize = 4;
constexpr std::size_t kMinDigestOnWire = 16;
constexpr std::size_t kMaxV4DigestOnWire = 20;

struct TypeRow {
    KeyType type;
    const char* name;
    const nettle_hash* hash;  // null for ciphers and for what Nettle lacks
};

const std::array<TypeRow, 13>& type_rows() noexcept {
    static const std::array<TypeRow, 13> rows{{
        {KeyType::Md5, "MD5", &nettle_md5},
        {KeyType::Sha1, "SHA1", &nettle_sha1},
        {KeyType::Sha256, "SHA256", &nettle_sha256},
        {KeyType::Sha384, "SHA384", &nettle_sha384},
        {KeyType::Sha512, "SHA512", &nettle_sha512},
        {KeyType::Sha3_224, "SHA3-224", &nettle_sha3_224},
        {KeyType::Sha3_256, "SHA3-256", &nettle_sha3_256},
        {KeyType::Sha3_384, "SHA3-384", &nettle_sha3_384},
        {KeyType::Sha3_512, "SHA3-512", &nettle_sha3_512},
        {KeyType::Tiger, "TIGER", nullptr},
        {KeyType::Whirlpool, "WHIRLPOOL", nullptr},
        {KeyType::Aes128, "AES128", nullptr},
        {KeyType::Aes256, "AES256", nullptr},
    }};
    return rows;
}

const TypeRow& row_of(KeyType type) noexcept {
    for (const TypeRow& row : type_rows()) {
        if (row.type == type) return row;
    }
    assertion_failed("known key type", __FILE__, __LINE__);
}

bool is_cipher(KeyType type) noexcept { return type == KeyType::Aes128 || type == KeyType::Aes256; }

/// `Context`: of CMAC with a cipher. Nothing of the prepared one changes but the small running part,
/// of which each digest has its own.
template <typename Context>
void cmac(const unsigned char* prepared, nettle_cipher_func* encrypt,
          std::span<const std::uint8_t> data, std::uint8_t* out) noexcept {
    const auto* context = reinterpret_cast<const Context*>(prepared);
    cmac128_ctx running = context->ctx;
    cmac128_update(&running, &context->cipher, encrypt, data.size(), data.data());
    cmac128_digest(&running, &context->key, &context->cipher, encrypt, CMAC128_DIGEST_SIZE, out);
}

void encrypt_aes128(const void* key, std::size_t size, std::uint8_t* to, const std::uint8_t* from) {
    aes128_encrypt(static_cast<const aes128_ctx*>(key), size, to, from);
}
void encrypt_aes256(const void* key, std::size_t size, std::uint8_t* to, const std::uint8_t* from) {
    aes256_encrypt(static_cast<const aes256_ctx*>(key), size, to, from);
}

std::size_t digest_size_on_wire(const SymmetricKey& key, std::uint8_t version) noexcept {
    const std::size_t whole = key.digest_size();
    return version == 4 ? std::min(whole, kMaxV4DigestOnWire) : whole;
}

}  // namespace

const char* to_string(KeyType type) noexcept { return row_of(type).name; }

std::optional<KeyType> parse_key_type(std::string_view name) noexcept {
    for (const TypeRow& row : type_rows()) {
        if (name == row.name) return row.type;
    }
    return std::nullopt;
}

bool is_supported(KeyType type) noexcept { return digest_size(type) > 0; }

std::size_t digest_size(KeyType type) noexcept {
    if (is_cipher(type)) return CMAC128_DIGEST_SIZE;
    const nettle_hash* hash = row_of(type).hash;
    return hash == nullptr ? 0 : hash->digest_size;
}

std::size_t required_key_size(KeyType type) noexcept {
    if (type == KeyType::Aes128) return 16;
    return type == KeyType::Aes256 ? 32 : 0;
}

SymmetricKey::SymmetricKey(std::uint32_t id, KeyType type, std::span<const std::uint8_t> secret)
    : id_(id),
      type_(type),
      secret_(secret.begin(), secret.end()),
      digest_size_(gnomon::digest_size(type)),
      hash_(is_cipher(type) ? nullptr : row_of(type).hash) {
    GNOMON_ASSERT(is_supported(type));
    GNOMON_ASSERT(!is_cipher(type) || secret.size() == required_key_size(type));
    static_assert(sizeof(cmac_aes256_ctx) <= sizeof(prepared_));
    if (type == KeyType::Aes128) {
        cmac_aes128_set_key(new (prepared_.data()) cmac_aes128_ctx, secret_.data());
    } else if (type == KeyType::Aes256) {
        cmac_aes256_set_key(new (prepared_.data()) cmac_aes256_ctx, secret_.data());
    } else {
        GNOMON_ASSERT(hash_->context_size <= prepared_.size());
        hash_->init(prepared_.data());
        hash_->update(prepared_.data(), secret_.size(), secret_.data());
    }
}

std::size_t SymmetricKey::digest(std::span<const std::uint8_t> data,
                                 std::span<std::uint8_t, kMaxDigestSize> out) const noexcept {
    if (hash_ == nullptr) {
        type_ == KeyType::Aes128
            ? cmac<cmac_aes128_ctx>(prepared_.data(), encrypt_aes128, data, out.data())
            : cmac<cmac_aes256_ctx>(prepared_.data(), encrypt_aes256, data, out.data());
        return digest_size_;
    }
    // Nettle's contexts are plain memory.
    alignas(16) std::array<unsigned char, sizeof(prepared_)> context;
    std::memcpy(context.data(), prepared_.data(), hash_->context_size);
    hash_->update(context.data(), data.size(), data.data());
    hash_->digest(context.data(), hash_->digest_size, out.data());
    explicit_bzero(context.data(), hash_->context_size);
    return digest_size_;
}

KeyTable::KeyTable(std::vector<SymmetricKey> keys) : keys_(std::move(keys)) {
    std::stable_sort(keys_.begin(), keys_.end(),
                     [](const SymmetricKey& a, const SymmetricKey& b) { return a.id() < b.id(); });
}

const SymmetricKey* KeyTable::find(std::uint32_t id) const noexcept {
    const auto at = std::lower_bound(
        keys_.begin(), keys_.end(), id,
        [](const SymmetricKey& key, std::uint32_t wanted) { return key.id() < wanted; });
    return at != keys_.end() && at->id() == id ? &*at : nullptr;
}

std::size_t append_mac(std::span<std::uint8_t> buffer, std::size_t length, std::uint8_t version,
                       const SymmetricKey& key) noexcept {
    const std::size_t size = digest_size_on_wire(key, version);
    if (length > buffer.size() || buffer.size() - length < kKeyIdSize + size) return 0;
    std::array<std::uint8_t, kMaxDigestSize> digest;
    key.digest(buffer.first(length), digest);
    store_be32(buffer, length, key.id());
    std::copy_n(digest.begin(), size,
                buffer.begin() + static_cast<std::ptrdiff_t>(length + kKeyIdSize));
    return length + kKeyIdSize + size;
}

bool check_mac(std::span<const std::uint8_t> packet, std::size_t mac_at, std::uint8_t version,
               const SymmetricKey& key) noexcept {
    const std::size_t size = digest_size_on_wire(key, version);
    if (packet.size() < mac_at + kKeyIdSize + kMinDigestOnWire) return false;
    if (packet.size() != mac_at + kKeyIdSize + size) return false;
    if (load_be32(packet, mac_at) != key.id()) return false;
    std::array<std::uint8_t, kMaxDigestSize> digest;
    key.digest(packet.first(mac_at), digest);
    return equal_constant_time(packet.subspan(mac_at + kKeyIdSize), std::span(digest).first(size));
}

bool check_mac(const ParsedPacket& packet, const SymmetricKey& key) noexcept {
    if (!packet.has_mac) return false;
    // Key ID and digest follow what they cover.
    const std::size_t mac_at = packet.authenticated.size();
    const std::span whole(packet.authenticated.data(), mac_at + kKeyIdSize + packet.mac.size());
    return check_mac(whole, mac_at, packet.header.version, key);
}

const SymmetricKey* authenticate(const ParsedPacket& packet, const KeyTable& keys) noexcept {
    if (!packet.has_mac) return nullptr;
    const SymmetricKey* key = keys.find(packet.key_id);
    return key != nullptr && check_mac(packet, *key) ? key : nullptr;
}

std::uint8_t suggested_version(const SymmetricKey& key) noexcept {
    return digest_size(key.type()) > kMaxV4DigestOnWire ? 3 : 4;
}

bool equal_constant_time(std::span<const std::uint8_t> a,
                         std::span<const std::uint8_t> b) noexcept {
    if (a.size() != b.size()) return false;
    return a.empty() || memeql_sec(a.data(), b.data(), a.size()) != 0;
}

std::uint32_t IpAddress::ref_id() const {
    if (family_ != Family::V6) return to_u32();
    md5_ctx context;
    md5_init(&context);
    md5_update(&context, bytes_.size(), bytes_.data());
    std::array<std::uint8_t, MD5_DIGEST_SIZE> digest;
    md5_digest(&context, digest.size(), digest.data());
    return load_be32(digest, 0);
}

}  // namespace gnomon
