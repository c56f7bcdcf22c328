/// `accuracy`: estimators against each other in closed loop, over jitter, wander and poll interval.
///
///     accuracy [--seeds N] [--polls N] [--cells TEXT] [--estimators a,b,…] [--baseline a]
///              [--mode start]
///
/// Every estimate is applied to the clock at once; the error of the clock is taken four times per
/// poll interval, after the first quarter of the polls. The table shows the baseline's RMS error
/// and, for every other estimator, the ratio of the baseline's error to its own (> 1: better) with
/// a 95 % bootstrap interval over the seeds, the ratio of the largest errors and of the RMS
/// frequency errors, and how often the error was within two of the claimed sigmas (95 % is right).
/// With `--mode start` the ratios of the error left by the n-th correction after a cold start.
/// Deterministic: equal arguments, equal table.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "servo/filter/source_filter.h"
#include "tests/bench/accuracy/cells.h"
#include "tests/bench/accuracy/oracle_estimator.h"

namespace gnomon::bench {
namespace {

struct Options {
    int seeds = 4;
    int polls = 3000;
    bool starts = false;
    std::string cells;
    std::string baseline = "regression";
    std::vector<std::string> estimators = {"kalman", "emg", "oracle"};
};

struct Outcome {
    double mean_square_s2 = 0.0;
    double mean_square_frequency = 0.0;
    double max_s = 0.0;
    double covered = 0.0;
};

bool selected(const Cell& cell, const Options& options) {
    return options.cells.empty() ||
           (cell.group + ": " + cell.name).find(options.cells) != std::string::npos;
}

/// The largest frequency correction applied at once.
constexpr double kMaxFrequency = 0.1;
constexpr int kPartsPerPoll = 4;

std::unique_ptr<Estimator> make(const std::string& name, const Cell& cell) {
    if (name == "oracle") {
        return OracleEstimator::knows(cell) ? std::make_unique<OracleEstimator>(cell) : nullptr;
    }
    return make_estimator(name);
}

/// Squared error of the clock after every correction is added to `after`, if given.
Outcome run(const Cell& cell, const std::string& name, std::uint64_t seed, int polls,
            std::vector<double>* after = nullptr) {
    HistoryConfig config;
    config.precision_s = 1e-9;
    SourceFilter filter(config, make(name, cell));
    World world(cell, seed, polls);
    Outcome out;
    double counted = 0.0;
    double claimed_s = INFINITY;
    const auto note = [&](int poll) {
        if (poll < polls / 4) return;
        const double error_s = std::fabs(world.offset_s());
        out.mean_square_s2 += error_s * error_s;
        out.mean_square_frequency += world.frequency() * world.frequency();
        out.max_s = std::max(out.max_s, error_s);
        counted += 1.0;
    };
    double covered = 0.0;
    double corrections = 0.0;
    const double part_s = cell.poll_s / kPartsPerPoll;
    for (int i = 0; i < polls; ++i) {
        world.advance(0.5 * part_s);
        note(i);
        for (int part = 1; part < kPartsPerPoll; ++part) {
            world.advance(part_s);
            note(i);
        }
        world.advance(0.5 * part_s);
        Measurement m;
        if (!world.measure(i, m)) continue;
        filter.update(m);
        const auto data = filter.selection_data(world.now());
        if (!data) continue;
        const double frequency =
            std::clamp(data->estimate.frequency, -kMaxFrequency, kMaxFrequency);
        claimed_s = data->estimate.offset_sd_s;
        filter.adjust(world.correct(data->estimate.offset_s, frequency));
        if (after) (*after)[static_cast<std::size_t>(i)] += std::pow(world.offset_s(), 2);
        if (i < polls / 4) continue;
        corrections += 1.0;
        if (std::fabs(world.offset_s()) <= 2.0 * claimed_s) covered += 1.0;
    }
    out.mean_square_s2 /= counted;
    out.mean_square_frequency /= counted;
    out.covered = corrections > 0.0 ? covered / corrections : 0.0;
    return out;
}

double rms(const std::vector<Outcome>& runs) {
    double sum = 0.0;
    for (const Outcome& o : runs) sum += o.mean_square_s2;
    return std::sqrt(sum / static_cast<double>(runs.size()));
}

double rms_frequency(const std::vector<Outcome>& runs) {
    double sum = 0.0;
    for (const Outcome& o : runs) sum += o.mean_square_frequency;
    return std::sqrt(sum / static_cast<double>(runs.size()));
}

double largest(const std::vector<Outcome>& runs) {
    double most = 0.0;
    for (const Outcome& o : runs) most = std::max(most, o.max_s);
    return most;
}

/// 95 % of the ratios of resampled (paired) seeds.
std::pair<double, double> interval(const std::vector<Outcome>& base,
                                   const std::vector<Outcome>& other) {
    constexpr int kResamples = 1000;
    std::mt19937_64 random(1);
    std::uniform_int_distribution<std::size_t> pick(0, base.size() - 1);
    std::vector<double> ratios;
    for (int i = 0; i < kResamples; ++i) {
        double a = 0.0;
        double b = 0.0;
        for (std::size_t k = 0; k < base.size(); ++k) {
            const std::size_t seed = pick(random);
            a += base[seed].mean_square_s2;
            b += other[seed].mean_square_s2;
        }
        ratios.push_back(std::sqrt(a / b));
    }
    std::sort(ratios.begin(), ratios.end());
    return {ratios[kResamples / 40], ratios[kResamples - 1 - kResamples / 40]};
}

void compare(const Cell& cell, const Options& options,
             std::map<std::string, std::vector<double>>& log_ratios) {
    const auto all = [&](const std::string& name) {
        std::vector<Outcome> runs;
        for (int seed = 1; seed <= options.seeds; ++seed) {
            runs.push_back(run(cell, name, static_cast<std::uint64_t>(seed), options.polls));
        }
        return runs;
    };
    const std::vector<Outcome> base = all(options.baseline);
    fmt::print("| {} | {:.3g} |", cell.name, rms(base));
    for (const std::string& name : options.estimators) {
        if (!make(name, cell)) {
            fmt::print(" | | | |");
            continue;
        }
        const std::vector<Outcome> runs = all(name);
        const double ratio = rms(base) / rms(runs);
        const auto [low, high] = interval(base, runs);
        double covered = 0.0;
        for (const Outcome& o : runs) covered += o.covered / static_cast<double>(runs.size());
        fmt::print(" **{:.2f}** ({:.2f}–{:.2f}) | {:.2f} | {:.2f} | {:.0f} |", ratio, low, high,
                   largest(base) / largest(runs), rms_frequency(base) / rms_frequency(runs),
                   100.0 * covered);
        log_ratios[cell.group + " " + name].push_back(std::log(ratio));
    }
    fmt::print("\n");
    std::fflush(stdout);
}

/// Ratios of the RMS error left by the n-th correction after a cold start.
int starts(const Options& options) {
    constexpr int kPolls = 65;
    for (const Cell& cell : all_cells()) {
        if (!selected(cell, options)) continue;
        std::vector<double> base(kPolls);
        for (int seed = 1; seed <= options.seeds; ++seed) {
            run(cell, options.baseline, static_cast<std::uint64_t>(seed), kPolls, &base);
        }
        for (const std::string& name : options.estimators) {
            if (!make(name, cell)) continue;
            std::vector<double> other(kPolls);
            for (int seed = 1; seed <= options.seeds; ++seed) {
                run(cell, name, static_cast<std::uint64_t>(seed), kPolls, &other);
            }
            fmt::print("{} {}:", cell.name, name);
            for (const std::size_t n : {1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64}) {
                fmt::print(" {}:{:.2f}", n, std::sqrt(base[n - 1] / other[n - 1]));
            }
            fmt::print("\n");
            std::fflush(stdout);
        }
    }
    return 0;
}

int main(const Options& options) {
    fmt::print("{} seeds of {} polls; baseline {}\n\n| cell | {} RMS s |", options.seeds,
               options.polls, options.baseline, options.baseline);
    for (const std::string& name : options.estimators) {
        fmt::print(" {0} ratio | {0} max | {0} freq | {0} 2σ % |", name);
    }
    fmt::print("\n|---|---|");
    for (std::size_t i = 0; i < options.estimators.size(); ++i) fmt::print("---|---|---|---|");
    fmt::print("\n");
    std::map<std::string, std::vector<double>> log_ratios;
    for (const Cell& cell : all_cells()) {
        if (!selected(cell, options)) continue;
        compare(cell, options, log_ratios);
    }
    fmt::print("\nGeometric means of the ratios:\n");
    for (const auto& [name, values] : log_ratios) {
        double sum = 0.0;
        for (const double v : values) sum += v;
        fmt::print("* {}: {:.3f}, worst {:.3f}\n", name,
                   std::exp(sum / static_cast<double>(values.size())),
                   std::exp(*std::min_element(values.begin(), values.end())));
    }
    return 0;
}

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> parts;
    std::size_t begin = 0;
    while (begin <= text.size()) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        parts.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

bool parse(int argc, char** argv, Options& options) {
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string key = argv[i];
        if (key == "--seeds") {
            options.seeds = std::max(std::atoi(argv[i + 1]), 1);
        } else if (key == "--polls") {
            options.polls = std::max(std::atoi(argv[i + 1]), 8);
        } else if (key == "--cells") {
            options.cells = argv[i + 1];
        } else if (key == "--estimators") {
            options.estimators = split(argv[i + 1]);
        } else if (key == "--baseline") {
            options.baseline = argv[i + 1];
        } else if (key == "--mode") {
            options.starts = std::strcmp(argv[i + 1], "start") == 0;
        } else {
            return false;
        }
    }
    const auto known = [](const std::string& name) {
        return name == "oracle" || make_estimator(name) != nullptr;
    };
    return argc % 2 == 1 && known(options.baseline) &&
           std::all_of(options.estimators.begin(), options.estimators.end(), known);
}

}  // namespace
}  // namespace gnomon::bench

int main(int argc, char** argv) {
    gnomon::bench::Options options;
    if (!gnomon::bench::parse(argc, argv, options)) {
        fmt::print(stderr,
                   "usage: accuracy [--seeds N] [--polls N] [--cells TEXT] [--estimators a,b] "
                   "[--baseline a] [--mode start]\n");
        return 1;
    }
    return options.starts ? gnomon::bench::starts(options) : gnomon::bench::main(options);
}
