#include "servo/select/loop_closure.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <utility>

namespace gnomon {

namespace {

constexpr int kLeastClocks = 4;
/// Loops of symmetric edges that must remain to judge by.
constexpr int kLeastLoops = 2;
constexpr int kIterations = 60;
/// An edge that is off by more sigmas than this, its own and the mesh's, is asymmetric.
constexpr double kAsymmetricSigmas = 4.0;
constexpr int kWitnesses = 2;
/// Standard normal quantile of 99 %.
constexpr double kQuantile99 = 2.3263;

/// Wilson and Hilferty 1931: within a percent from one degree of freedom on.
double chi_square_99(int freedom) {
    const double n = freedom;
    return n * std::pow(1.0 - 2.0 / (9.0 * n) + kQuantile99 * std::sqrt(2.0 / (9.0 * n)), 3);
}

/// One edge for every connected pair, from the lower number to the higher: of two measurements of the
/// same path the more precise one, as both have the same asymmetry.
std::vector<MeshEdge> merged(int clocks, std::span<const MeshEdge> edges) {
    std::map<std::pair<int, int>, MeshEdge> best;
    for (MeshEdge e : edges) {
        const bool possible = e.from >= 0 && e.to >= 0 && e.from < clocks && e.to < clocks &&
                              e.from != e.to && std::isfinite(e.offset_s) && std::isfinite(e.sd_s);
        if (!possible || e.sd_s <= 0.0) continue;
        if (e.from > e.to) {
            std::swap(e.from, e.to);
            e.offset_s = -e.offset_s;
        }
        const auto [place, is_new] = best.try_emplace({e.from, e.to}, e);
        if (!is_new && e.sd_s < place->second.sd_s) place->second = e;
    }
    std::vector<MeshEdge> result;
    result.reserve(best.size());
    for (const auto& [pair, edge] : best) result.push_back(edge);
    return result;
}

/// The clocks' places by weighted least squares, clock 0 at zero.
class Mesh {
public:
    Mesh(int clocks, std::vector<MeshEdge> edges)
        : clocks_(clocks), edges_(std::move(edges)), x_(Eigen::VectorXd::Zero(clocks)) {}

    const std::vector<MeshEdge>& edges() const { return edges_; }

    /// `weights` multiply the edges' information; false: they do not connect all clocks.
    bool solve(const std::vector<double>& weights) {
        Eigen::MatrixXd information = Eigen::MatrixXd::Zero(clocks_ - 1, clocks_ - 1);
        Eigen::VectorXd right = Eigen::VectorXd::Zero(clocks_ - 1);
        for (std::size_t k = 0; k < edges_.size(); ++k) {
            const MeshEdge& e = edges_[k];
            // In units of the most precise edge, so that no square leaves the range of a double.
            const double w = weights[k] * (unit() / e.sd_s) * (unit() / e.sd_s);
            const int i = e.from - 1;
            const int j = e.to - 1;
            if (i >= 0) information(i, i) += w;
            information(j, j) += w;
            if (i >= 0) information(i, j) -= w;
            if (i >= 0) information(j, i) -= w;
            if (i >= 0) right(i) -= w * e.offset_s;
            right(j) += w * e.offset_s;
        }
        const Eigen::LDLT<Eigen::MatrixXd> factor(information);
        const double largest = information.diagonal().maxCoeff();
        if (factor.info() != Eigen::Success || !(largest > 0.0) ||
            factor.vectorD().minCoeff() < 1e-12 * largest) {
            return false;
        }
        x_.tail(clocks_ - 1) = factor.solve(right);
        covariance_ =
            unit() * unit() * factor.solve(Eigen::MatrixXd::Identity(clocks_ - 1, clocks_ - 1));
        return x_.allFinite() && covariance_.allFinite();
    }
    double residual_s(const MeshEdge& e) const { return e.offset_s - (x_(e.to) - x_(e.from)); }
    /// Variance of x_to − x_from.
    double variance_s2(const MeshEdge& e) const {
        const int i = e.from - 1;
        const int j = e.to - 1;
        if (i < 0) return covariance_(j, j);
        return std::max(covariance_(i, i) + covariance_(j, j) - 2.0 * covariance_(i, j), 0.0);
    }

private:
    double unit() const {
        double least = edges_.front().sd_s;
        for (const MeshEdge& e : edges_) least = std::min(least, e.sd_s);
        return least;
    }

    int clocks_;
    std::vector<MeshEdge> edges_;
    Eigen::VectorXd x_;
    Eigen::MatrixXd covariance_;
};

/// Least absolute deviations, of seconds and not of sigmas: a precise edge is no less likely to be
/// asymmetric than another. Below the least precise edge's sigma it is least squares (Huber 1964).
bool solve_robustly(Mesh& mesh) {
    double largest_sd_s = 0.0;
    for (const MeshEdge& e : mesh.edges()) largest_sd_s = std::max(largest_sd_s, e.sd_s);
    std::vector<double> weights(mesh.edges().size(), 1.0);
    for (int iteration = 0; iteration < kIterations; ++iteration) {
        if (!mesh.solve(weights)) return false;
        for (std::size_t k = 0; k < weights.size(); ++k) {
            const MeshEdge& e = mesh.edges()[k];
            const double elbow_s = e.sd_s * (e.sd_s / largest_sd_s);
            weights[k] = std::min(1.0, elbow_s / std::fabs(mesh.residual_s(e)));
        }
    }
    return true;
}

/// Least squares over the edges that agree, until nobody changes sides. `symmetric` is 1 or 0.
bool separate(Mesh& mesh, std::vector<double>& symmetric) {
    symmetric.assign(mesh.edges().size(), 1.0);
    for (int iteration = 0; iteration < kIterations; ++iteration) {
        std::vector<double> next(symmetric.size());
        for (std::size_t k = 0; k < next.size(); ++k) {
            const MeshEdge& e = mesh.edges()[k];
            const double s2 = e.sd_s * e.sd_s + mesh.variance_s2(e);
            const double limit_s = kAsymmetricSigmas * std::sqrt(s2);
            next[k] = std::fabs(mesh.residual_s(e)) <= limit_s ? 1.0 : 0.0;
        }
        const bool settled = iteration > 0 && next == symmetric;
        symmetric = std::move(next);
        if (settled) return true;
        if (!mesh.solve(symmetric)) return false;
    }
    return false;
}

/// Every asymmetric edge has detours that say so, and every clock is mostly symmetric.
bool proven(int clocks, const std::vector<MeshEdge>& edges, const std::vector<double>& symmetric) {
    Eigen::MatrixXi good = Eigen::MatrixXi::Zero(clocks, clocks);
    Eigen::VectorXi balance = Eigen::VectorXi::Zero(clocks);
    for (std::size_t k = 0; k < edges.size(); ++k) {
        const MeshEdge& e = edges[k];
        const bool is_good = symmetric[k] > 0.0;
        if (is_good) good(e.from, e.to) = good(e.to, e.from) = 1;
        balance(e.from) += is_good ? 1 : -1;
        balance(e.to) += is_good ? 1 : -1;
    }
    if (balance.minCoeff() <= 0) return false;
    for (std::size_t k = 0; k < edges.size(); ++k) {
        if (symmetric[k] > 0.0) continue;
        if (good.row(edges[k].from).dot(good.row(edges[k].to)) < kWitnesses) return false;
    }
    return true;
}

}  // namespace

LoopClosure close_loops(int clocks, std::span<const MeshEdge> edges) {
    LoopClosure result;
    if (clocks < kLeastClocks) return result;
    Mesh mesh(clocks, merged(clocks, edges));
    const int edge_count = static_cast<int>(mesh.edges().size());
    if (edge_count - clocks + 1 < kLeastLoops || !solve_robustly(mesh)) return result;

    std::vector<double> symmetric;
    if (!separate(mesh, symmetric)) {
        result.outcome = LoopClosure::Outcome::Inconsistent;
        return result;
    }
    result.loops = -clocks + 1;
    for (std::size_t k = 0; k < symmetric.size(); ++k) {
        const MeshEdge& e = mesh.edges()[k];
        const double residual_s = mesh.residual_s(e);
        if (symmetric[k] > 0.0) {
            ++result.loops;
            result.chi_square += (residual_s / e.sd_s) * (residual_s / e.sd_s);
        } else {
            const double sd_s = std::sqrt(e.sd_s * e.sd_s + mesh.variance_s2(e));
            result.biases.push_back({e.from, e.to, residual_s, sd_s});
        }
    }
    if (result.loops < kLeastLoops || !proven(clocks, mesh.edges(), symmetric)) {
        result.outcome = LoopClosure::Outcome::Ambiguous;
    } else if (result.chi_square > chi_square_99(result.loops)) {
        result.outcome = LoopClosure::Outcome::Inconsistent;
    } else {
        result.outcome = LoopClosure::Outcome::Closed;
    }
    if (result.outcome != LoopClosure::Outcome::Closed) result.biases.clear();
    return result;
}

const char* to_string(LoopClosure::Outcome outcome) noexcept {
    switch (outcome) {
        case LoopClosure::Outcome::Closed: return "closed";
        case LoopClosure::Outcome::TooFewLoops: return "too few loops";
        case LoopClosure::Outcome::Inconsistent: return "inconsistent";
        case LoopClosure::Outcome::Ambiguous: return "ambiguous";
    }
    return "?";
}

}  // namespace gnomon
