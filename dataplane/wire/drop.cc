#include "dataplane/wire/drop.h"

namespace gnomon {

const char* to_string(Drop reason) noexcept {
    switch (reason) {
        case Drop::None: return "none";
        case Drop::TooShort: return "too-short";
        case Drop::TooLong: return "too-long";
        case Drop::BadVersion: return "bad-version";
        case Drop::BadMode: return "bad-mode";
        case Drop::BadFraming: return "bad-framing";
        case Drop::AccessDenied: return "access-denied";
        case Drop::RateLimited: return "rate-limited";
        case Drop::BadAuthentication: return "bad-authentication";
        case Drop::NotSolicited: return "not-solicited";
        case Drop::Duplicate: return "duplicate";
        case Drop::BadPort: return "bad-port";
        case Drop::NoServer: return "no-server";
        case Drop::SendFailed: return "send-failed";
        case Drop::Count: break;
    }
    return "unknown";
}

}  // namespace gnomon
