#include "dataplane/proto/client_auth.h"

namespace gnomon {
namespace {

constexpr std::uint16_t kNtsUniqueIdentifier = 0x0104;
constexpr std::uint16_t kNtsCookie = 0x0204;
constexpr std::uint16_t kNtsCookiePlaceholder = 0x0304;
constexpr std::uint16_t kNtsAuthenticator = 0x0404;

}  // namespace

bool has_nts_fields(const ParsedPacket& packet) noexcept {
    for (std::size_t i = 0; i < packet.field_count; ++i) {
        switch (packet.fields[i].type) {
            case kNtsUniqueIdentifier:
            case kNtsCookie:
            case kNtsCookiePlaceholder:
            case kNtsAuthenticator: return true;
            default: break;
        }
    }
    return false;
}

bool NoAuth::check(const ParsedPacket& reply) { return !reply.has_mac && !has_nts_fields(reply); }

std::size_t SymmetricAuth::sign(std::span<std::uint8_t> buffer, std::size_t length,
                                std::uint8_t version) {
    const SymmetricKey* key = keys_.find(key_id_);
    return key == nullptr ? 0 : append_mac(buffer, length, version, *key);
}

bool SymmetricAuth::check(const ParsedPacket& reply) {
    const SymmetricKey* key = keys_.find(key_id_);
    return key != nullptr && check_mac(reply, *key);
}

std::uint8_t SymmetricAuth::suggested_version() const noexcept {
    const SymmetricKey* key = keys_.find(key_id_);
    return key == nullptr ? 4 : gnomon::suggested_version(*key);
}

AuthReport SymmetricAuth::report(MonoTime) const {
    AuthReport report;
    report.mode = AuthMode::Symmetric;
    report.key_id = key_id_;
    if (const SymmetricKey* key = keys_.find(key_id_)) {
        report.key_type = static_cast<int>(key->type());
        report.key_length = key->bits();
    }
    return report;
}

}  // namespace gnomon
