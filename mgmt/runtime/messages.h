#pragma once

/// What people and scripts read in the log: one line for an `Event`, in chrony's words, because
/// monitoring rules look for them. Whoever changes a word here changes an interface.

#include <optional>
#include <string>

#include "mgmt/engine/events.h"
#include "mgmt/runtime/log.h"

namespace gnomon {

struct Message {
    LogSeverity severity = LogSeverity::Info;
    std::string text;
};

/// Nothing for events that are rows of log files only.
std::optional<Message> message_for(const Event& event);

}  // namespace gnomon
