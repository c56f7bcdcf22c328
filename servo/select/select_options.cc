#include "servo/select/selector.h"

namespace gnomon {

char letter_of(SourceStatus status) noexcept {
    switch (status) {
        case SourceStatus::NoSelect: return 'N';
        case SourceStatus::Unsynchronised: return 's';
        case SourceStatus::MissingSamples: return 'M';
        case SourceStatus::BadStratum: return 'r';
        case SourceStatus::BadDistance: return 'd';
        case SourceStatus::Jittery: return '~';
        case SourceStatus::WaitsStats: return 'w';
        case SourceStatus::Stale: return 'S';
        case SourceStatus::Orphan: return 'O';
        case SourceStatus::Untrusted: return 'T';
        case SourceStatus::Falseticker: return 'x';
        case SourceStatus::WaitsSources: return 'W';
        case SourceStatus::NonPreferred: return 'P';
        case SourceStatus::WaitsUpdate: return 'U';
        case SourceStatus::Distant: return 'D';
        case SourceStatus::Unselected: return '+';
        case SourceStatus::Selected: return '*';
    }
    return '?';
}

void effective_options(AuthSelectMode mode, std::span<const OptionsInput> in,
                       std::span<SelectOptions> out) noexcept {
    bool authenticated = false;
    bool unauthenticated = false;
    for (const OptionsInput& source : in) {
        if (source.type != SourceType::Ntp || source.configured.noselect) continue;
        (source.authenticated ? authenticated : unauthenticated) = true;
    }
    // Mixed: unauthenticated sources may help, but cannot outvote the others. Reference clocks count
    // as authenticated: nobody on the network can forge them.
    const bool raise = mode == AuthSelectMode::Mix && authenticated && unauthenticated;
    const bool refuse =
        mode == AuthSelectMode::Require || (mode == AuthSelectMode::Prefer && authenticated);
    for (std::size_t i = 0; i < in.size() && i < out.size(); ++i) {
        const OptionsInput& source = in[i];
        out[i] = source.configured;
        if (source.configured.noselect) continue;
        const bool safe = source.type == SourceType::Refclock || source.authenticated;
        if (safe && raise) out[i].trust = out[i].require = true;
        if (!safe && refuse) out[i].noselect = true;
    }
}

}  // namespace gnomon
