#pragma once

/// `SampleStore`: the dump files of all sources (`dumpdir`, SRC-14).

#include <string>

#include "mgmt/engine/clock_agent.h"
#include "mgmt/engine/selection_agent.h"
#include "mgmt/engine/services.h"

namespace gnomon {

class SampleStore {
public:
    /// An empty directory: nothing is kept. The rest outlives the store.
    SampleStore(std::string directory, const Services& services, ClockAgent& clock,
                SelectionAgent& selection)
        : directory_(std::move(directory)),
          services_(services),
          clock_(clock),
          selection_(selection) {}

    void save(const Now& now);
    /// -r: histories of before the restart; the clock may follow them at once.
    void restore(const Now& now);
    /// At start, so that nothing stale is found another time.
    void remove_files();

private:
    bool restore_source(SelectableSource& source, const std::string& text, UtcTime now);

    std::string directory_;
    Services services_;
    ClockAgent& clock_;
    SelectionAgent& selection_;
};

}  // namespace gnomon
