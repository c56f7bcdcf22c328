#include "mgmt/engine/clock_state.h"

namespace gnomon {

ClockState::Judgement ClockState::judge_unsynchronised(const ClockView& view) const {
    // Sources that are about to set the clock; of those that quarrel nothing is to be expected.
    const bool hopeful =
        view.selected || (view.answering && view.selection == ClockReason::Measuring);
    if (hopeful) return {ClockStateKind::Acquiring, ClockReason::Measuring};
    if (ever_set_) {
        const bool known = view.selection != ClockReason::Measuring;
        return {ClockStateKind::Freerun, known ? view.selection : ClockReason::Reset};
    }
    return {ClockStateKind::Unsynced,
            view.selection == ClockReason::Measuring ? ClockReason::NoReply : view.selection};
}

ClockState::Judgement ClockState::judge(const ClockView& view, MonoTime now) {
    if (view.selected) {
        unselected_since_.reset();
    } else if (!unselected_since_) {
        unselected_since_ = now;
    }
    if (!view.synchronised) return judge_unsynchronised(view);
    ever_set_ = true;
    if (!(view.bound_s <= useless_s_)) return {ClockStateKind::Freerun, ClockReason::BoundUseless};

    const bool selection_lost = unselected_since_ && now - *unselected_since_ >= kSelectionLost;
    if (selection_lost) return {ClockStateKind::Holdover, view.selection};
    if (!view.measured) return {ClockStateKind::Holdover, ClockReason::UpdatesMissing};
    if (!in_spec_) return {ClockStateKind::Acquiring, ClockReason::BoundAboveLimit};
    return {ClockStateKind::Locked, ClockReason::None};
}

bool ClockState::update(const ClockView& view, MonoTime now) {
    const bool was_in_spec = in_spec_;
    const double limit_s = was_in_spec ? limit_s_ : limit_s_ * kReturnRatio;
    in_spec_ = view.synchronised && view.bound_s <= limit_s;

    const Judgement judgement = judge(view, now);
    const bool moved =
        judgement.kind != kind_ || (kind_ == ClockStateKind::Holdover && in_spec_ != was_in_spec);
    const bool changed = moved || judgement.reason != reason_;
    if (moved) since_ = now;
    kind_ = judgement.kind;
    reason_ = judgement.reason;
    return changed;
}

}  // namespace gnomon
