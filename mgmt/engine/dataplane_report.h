#pragma once

/// The state of polled ports as the command protocol reports it, part by part.

#include <vector>

#include "mgmt/command/handlers.h"
#include "mgmt/engine/polled_port_reports.h"

namespace gnomon {

/// `Invalid` when the query names what there is not.
command::ReportResult<command::DataplaneReport> dataplane_report(
    const std::vector<PolledPortState>& ports, const command::DataplaneQuery& query);

}  // namespace gnomon
