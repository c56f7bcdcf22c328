#pragma once

/// `MeshAgent`: the peers with the `mesh` option. Tells them what we measure of each other, hears what
/// they measure, and corrects the offsets of ours whose path the loops prove asymmetric
/// (servo/select/loop_closure.h).
///
/// What is told is as measured, corrections taken off: otherwise a correction would take away its own
/// reason. Rows are as old as a poll, and the clocks move meanwhile; a bias that is to be applied has to
/// be found kConfirmations times in a row, and is averaged over so many.

#include <map>
#include <vector>

#include "dataplane/wire/mesh_row.h"
#include "mgmt/engine/ntp_source.h"
#include "servo/select/loop_closure.h"

namespace gnomon {

class MeshAgent {
public:
    static constexpr int kConfirmations = 8;
    /// A row that was not renewed for so long is forgotten.
    static constexpr Duration kRowLife = Duration::from_s(2048);

    explicit MeshAgent(EventSink& events) : events_(events) {}

    using Sources = std::vector<std::unique_ptr<NtpSource>>;

    /// Our own row, at `at`.
    static MeshRow row(const Sources& sources, UtcTime at);
    /// A peer told its row. Corrections of sources may change.
    void hear(const Sources& sources, const NtpSource& from, const MeshRow& row, UtcTime at,
              MonoTime now);
    /// The source is gone, or its path may be another one.
    void forget(SourceId source) { states_.erase(source); }

    LoopClosure::Outcome outcome() const noexcept { return outcome_; }

private:
    struct State {
        MeshRow row;
        MonoTime heard;
        int found = 0;  ///< evaluations in a row that found its path asymmetric; < 0: that did not
        double bias_s = 0.0;
    };

    std::vector<MeshEdge> edges(const std::vector<NtpSource*>& members, UtcTime at) const;
    void judge(NtpSource& source, const MeshBias* bias);

    EventSink& events_;
    std::map<SourceId, State> states_;
    LoopClosure::Outcome outcome_ = LoopClosure::Outcome::TooFewLoops;
};

}  // namespace gnomon
