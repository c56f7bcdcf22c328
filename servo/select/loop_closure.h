#pragma once

/// `close_loops`: which edges of a mesh of clocks are asymmetric, and by how much.
///
/// Model. Clock i is ahead of clock 0 by x_i. Whoever measures the edge (i, j) finds
///
///     m_ij = x_j − x_i + b_ij + noise of σ_ij,
///
/// b_ij the error by asymmetry, which no statistics on one edge can show. Round a loop the clocks
/// cancel and the biases remain: m_ij + m_jk + m_ki = b_ij + b_jk + b_ki. With N clocks and E edges
/// there are E − N + 1 independent loops for E biases, so more must be assumed: *few edges are
/// asymmetric*. The estimate is that of least absolute deviations (found by iteratively reweighted
/// least squares, Holland & Welsch 1977; in seconds, as a precise edge may be as asymmetric as
/// another), which passes through the symmetric edges as long as they are the clear majority at every
/// clock (Candès & Tao 2005 for the general condition); then least squares over those that agree.
///
/// Trust. The outcome is used only if it proves itself:
///  * the edges that are taken for symmetric close all their loops (χ² at 1 %), and there are at
///    least two more of them than are needed to connect the clocks;
///  * every asymmetric edge is contradicted by at least two detours over a third clock, all symmetric
///    and of different third clocks: so one triangle, which cannot tell which of its edges is wrong,
///    moves nothing;
///  * each clock has more symmetric than asymmetric edges. (A clock all of whose edges but one share
///    one bias looks exactly like one with the other edge biased.)
///
/// Edges measured from both ends share their path: the measurements are merged before. Pure;
/// allocates; cubic in the number of clocks, linear in that of edges. Any finite or infinite input.

#include <span>
#include <vector>

namespace gnomon {

struct MeshEdge {
    int from = 0;           ///< who measured, 0 … clocks − 1
    int to = 0;             ///< the other clock
    double offset_s = 0.0;  ///< of `to` against `from`: > 0: `from` is behind
    double sd_s = 0.0;      ///< one sigma, > 0
};

struct MeshBias {
    int from = 0;  ///< < to
    int to = 0;
    double bias_s = 0.0;  ///< what the edge's offset, seen from `from`, has too much
    double sd_s = 0.0;
};

struct LoopClosure {
    enum class Outcome {
        Closed,        ///< `biases` may be applied; there may be none
        TooFewLoops,   ///< fewer than four clocks or too few edges: nothing can be told
        Inconsistent,  ///< the loops do not close even without the worst edges
        Ambiguous,     ///< it does not prove which edges are asymmetric
    };
    Outcome outcome = Outcome::TooFewLoops;
    std::vector<MeshBias> biases;
    int loops = 0;            ///< independent ones of edges taken for symmetric
    double chi_square = 0.0;  ///< of those
};

/// Edges with impossible ends, not finite or with sd_s ≤ 0 are ignored.
LoopClosure close_loops(int clocks, std::span<const MeshEdge> edges);

const char* to_string(LoopClosure::Outcome outcome) noexcept;

}  // namespace gnomon
