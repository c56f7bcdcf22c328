#pragma once

/// Symmetric keys and message authentication codes of NTP: digest = H(key ‖ packet) for hash
/// functions (RFC 5905, appendix A), AES-CMAC (RFC 8573). Digests come from Nettle.
///
/// A `KeyTable` is immutable once built and may be shared by threads: computing a digest touches
/// only the stack, so a new file means a new table.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "dataplane/wire/ntp_packet.h"

struct nettle_hash;

namespace gnomon {

/// The numbers are those of the `authdata` report on the command protocol.
enum class KeyType : std::uint8_t {
    Md5 = 1,
    Sha1 = 2,
    Sha256 = 3,
    Sha384 = 4,
    Sha512 = 5,
    Sha3_224 = 6,
    Sha3_256 = 7,
    Sha3_384 = 8,
    Sha3_512 = 9,
    Tiger = 10,      ///< known by name, not supported
    Whirlpool = 11,  ///< known by name, not supported
    Aes128 = 13,
    Aes256 = 14,
};

/// The name in key files ("SHA3-256"), and back.
const char* to_string(KeyType type) noexcept;
std::optional<KeyType> parse_key_type(std::string_view name) noexcept;
/// False for TIGER and WHIRLPOOL, which Nettle does not have.
bool is_supported(KeyType type) noexcept;
/// Length of the untruncated digest in bytes; 0 when not supported.
std::size_t digest_size(KeyType type) noexcept;
/// The one length a key of a cipher must have, in bytes; 0 for hash functions: any.
std::size_t required_key_size(KeyType type) noexcept;

inline constexpr std::size_t kMaxDigestSize = 64;

class SymmetricKey {
public:
    /// Requires a supported type and, for ciphers, the right length.
    SymmetricKey(std::uint32_t id, KeyType type, std::span<const std::uint8_t> secret);

    std::uint32_t id() const noexcept { return id_; }
    KeyType type() const noexcept { return type_; }
    int bits() const noexcept { return static_cast<int>(secret_.size()) * 8; }
    /// At least 80 bits.
    bool is_long_enough() const noexcept { return secret_.size() >= 10; }

    /// Length of the untruncated digest in bytes.
    std::size_t digest_size() const noexcept { return digest_size_; }
    /// The untruncated digest; returns its length.
    std::size_t digest(std::span<const std::uint8_t> data,
                       std::span<std::uint8_t, kMaxDigestSize> out) const noexcept;

private:
    std::uint32_t id_;
    KeyType type_;
    std::vector<std::uint8_t> secret_;
    std::size_t digest_size_;
    const nettle_hash* hash_;  ///< null for ciphers
    /// Nettle's context as it is when the key has gone in: a hash that has taken the secret, a cipher
    /// with its schedule. Every digest starts from here.
    alignas(16) std::array<unsigned char, 512> prepared_{};
};

class KeyTable {
public:
    KeyTable() = default;
    /// Of several keys with one ID the first one is used.
    explicit KeyTable(std::vector<SymmetricKey> keys);

    /// Null when unknown; valid as long as the table.
    const SymmetricKey* find(std::uint32_t id) const noexcept;
    std::size_t size() const noexcept { return keys_.size(); }

private:
    std::vector<SymmetricKey> keys_;  // by ID
};

/// Appends key ID and digest to the packet of `length` bytes in `buffer`. Digests longer than 20
/// bytes are truncated to 20 in version 4 (RFC 7822), not in older versions. Returns the new
/// length, or 0 when it does not fit.
std::size_t append_mac(std::span<std::uint8_t> buffer, std::size_t length, std::uint8_t version,
                       const SymmetricKey& key) noexcept;

/// True when the MAC at `mac_at` (key ID and digest, up to the end of the packet) is valid: made with
/// `key`, of the right length, of the right digest. Takes the same time whichever byte differs.
bool check_mac(std::span<const std::uint8_t> packet, std::size_t mac_at, std::uint8_t version,
               const SymmetricKey& key) noexcept;

/// True when the packet ends in a valid MAC made with `key`: right ID, right length, right digest.
/// Takes the same time whichever byte differs.
bool check_mac(const ParsedPacket& packet, const SymmetricKey& key) noexcept;

/// The key by which the packet is validly authenticated; null when it has no MAC, the key is
/// unknown or the digest is wrong.
const SymmetricKey* authenticate(const ParsedPacket& packet, const KeyTable& keys) noexcept;

/// The version in which the whole digest of this key fits: 3 when version 4 would truncate it, so
/// that old servers understand it, else 4.
std::uint8_t suggested_version(const SymmetricKey& key) noexcept;

/// Equality in constant time for spans of the same length; false for different lengths.
bool equal_constant_time(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) noexcept;

}  // namespace gnomon
