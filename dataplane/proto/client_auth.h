#pragma once

/// `ClientAuth`: how one association authenticates its requests and the replies to them. One object
/// per association; one thread.

#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/wire/mac.h"
#include "dataplane/wire/ntp_packet.h"
#include "servo/units/time_point.h"

namespace gnomon {

/// The numbers are those of the command protocol.
enum class AuthMode : std::uint8_t { None = 0, Symmetric = 1, Nts = 4 };

/// The fields of the `authdata` report.
struct AuthReport {
    AuthMode mode = AuthMode::None;
    std::uint32_t key_id = 0;
    int key_type = 0;    ///< `KeyType`, or the AEAD of NTS; 0 when the key is unknown
    int key_length = 0;  ///< bits
    int ke_attempts = 0;
    std::uint32_t last_ke_ago_s = 0xffff'ffff;  ///< all ones: never
    int cookies = 0;
    int cookie_length = 0;
    bool nak = false;
};

class ClientAuth {
public:
    virtual ~ClientAuth() = default;

    virtual AuthMode mode() const noexcept = 0;
    /// Before each request. False: nothing can be sent now (NTS still negotiates); the poll counts
    /// as missed.
    virtual bool prepare(MonoTime now) = 0;
    /// Authenticates the `length` bytes in `buffer`; returns the new length, 0 when it cannot.
    virtual std::size_t sign(std::span<std::uint8_t> buffer, std::size_t length,
                             std::uint8_t version) = 0;
    /// True when the reply is authenticated as this association demands: not more, not less. Called
    /// once per packet at most; NTS consumes what it accepted.
    virtual bool check(const ParsedPacket& reply) = 0;
    /// The version to use when none is configured.
    virtual std::uint8_t suggested_version() const noexcept { return 4; }
    virtual AuthReport report(MonoTime now) const = 0;
};

/// No authentication: replies with a MAC or NTS fields are refused.
class NoAuth final : public ClientAuth {
public:
    AuthMode mode() const noexcept override { return AuthMode::None; }
    bool prepare(MonoTime) override { return true; }
    std::size_t sign(std::span<std::uint8_t>, std::size_t length, std::uint8_t) override {
        return length;
    }
    bool check(const ParsedPacket& reply) override;
    AuthReport report(MonoTime) const override { return {}; }
};

/// A symmetric key. An unknown key means that nothing can be sent.
class SymmetricAuth final : public ClientAuth {
public:
    /// `keys` outlives this object; its owner may assign a new table to it (`rekey`).
    SymmetricAuth(const KeyTable& keys, std::uint32_t key_id) : keys_(keys), key_id_(key_id) {}

    AuthMode mode() const noexcept override { return AuthMode::Symmetric; }
    bool prepare(MonoTime) override { return true; }
    std::size_t sign(std::span<std::uint8_t> buffer, std::size_t length,
                     std::uint8_t version) override;
    bool check(const ParsedPacket& reply) override;
    std::uint8_t suggested_version() const noexcept override;
    AuthReport report(MonoTime now) const override;

private:
    const KeyTable& keys_;
    std::uint32_t key_id_;
};

/// True when the packet has any extension field of NTS (RFC 8915, 5.7).
bool has_nts_fields(const ParsedPacket& packet) noexcept;

}  // namespace gnomon
