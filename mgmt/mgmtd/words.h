#pragma once

/// How sources and their states are called in labels and JSON.

#include <string>
#include <string_view>

#include "mgmt/telemetry/telemetry.h"

namespace gnomon::mgmtd {

/// "192.0.2.1", "ID#0000000001", or a reference clock's "PPS0".
std::string address_of(const telemetry::Source& source);
/// As configured; the address when it was one.
std::string name_of(const telemetry::Source& source);

/// Of the source that is followed; a reference clock's name, or the reference ID in text.
std::string tracking_address(const telemetry::Snapshot& snapshot);
std::string tracking_name(const telemetry::Snapshot& snapshot);

/// chrony_exporter's words: sync, unreach, falseticker, jittery, candidate, outlier.
std::string_view exporter_state(command::SourceState state) noexcept;
/// client, peer, "reference clock".
std::string_view exporter_mode(command::SourceMode mode) noexcept;

/// "selected": a word for a letter of `selectdata`.
std::string_view selection_word(char letter) noexcept;
/// What it means, in a sentence.
std::string_view selection_text(char letter) noexcept;

/// "info", "warning", "error"
std::string_view severity_word(int severity) noexcept;
/// "normal", "insert", "delete", "unsynchronised"
std::string_view leap_word(Leap leap) noexcept;

}  // namespace gnomon::mgmtd
