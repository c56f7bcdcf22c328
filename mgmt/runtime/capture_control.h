#pragma once

/// The `capture` commands of the command protocol over a `CaptureWriter`.

#include "mgmt/command/reports.h"
#include "mgmt/command/requests.h"
#include "mgmt/runtime/capture_writer.h"

namespace gnomon {

command::CaptureReport start_capture(CaptureWriter& writer, const command::CaptureRequest& request);
command::CaptureReport stop_capture(CaptureWriter& writer);
command::CaptureReport capture_report(const CaptureWriter& writer);

/// Logs how a capture ended by itself, once.
void log_ended_capture(CaptureWriter& writer);

}  // namespace gnomon
