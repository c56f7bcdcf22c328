/// Runs whole appliances through seeded scenarios and checks the invariants after every event.
///
///   gnomon-sim [--seeds N] [--first S] [--hours H] [--servo NAME] [--quiet] [--verbose]
///             [--trace NODE]
///
/// Every violation names its seed; `--seeds 1 --first SEED` repeats exactly that run.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <variant>

#include "tests/sim/invariants.h"
#include "tests/sim/scenario.h"
#include "tests/sim/sim_node.h"

namespace {

struct Options {
    std::uint64_t seeds = 20;
    std::uint64_t first = 1;
    double hours = 6.0;
    std::string servo;
    std::string trace;  ///< name of a node whose updates are printed
    bool quiet = false;
    bool verbose = false;
};

bool parse(int argc, char** argv, Options& options) {
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        if (name == "--verbose") {
            options.verbose = true;
            continue;
        }
        if (name == "--quiet") {
            options.quiet = true;
            continue;
        }
        if (i + 1 >= argc) return false;
        const char* value = argv[++i];
        if (name == "--seeds") {
            options.seeds = std::strtoull(value, nullptr, 10);
        } else if (name == "--first") {
            options.first = std::strtoull(value, nullptr, 10);
        } else if (name == "--hours") {
            options.hours = std::strtod(value, nullptr);
        } else if (name == "--servo") {
            options.servo = value;
        } else if (name == "--trace") {
            options.trace = value;
        } else {
            return false;
        }
    }
    return options.seeds > 0 && options.hours > 0.0;
}

struct Outcome {
    std::size_t violations = 0;
    std::uint64_t checks = 0;
    bool locked = false;
};

/// What the node followed and how wrong that was, before anything is done about it.
void trace(gnomon::sim::SimNode& node, double at_s) {
    if (!node.is_up()) return;
    for (const gnomon::Event& event : node.events()) {
        const auto* r = std::get_if<gnomon::TrackingRecord>(&event);
        if (r == nullptr) continue;
        std::printf(
            "%10.3f %s %s: error %.3e bound %.3e; offset %.3e sd %.1e combined %d, frequency error "
            "%.2e skew %.1e, delay %.2e dispersion %.2e growing %.1e\n",
            at_s, node.model().name.c_str(), r->source.to_string().c_str(), node.ntp_error_s(),
            node.advertised_bound_s(), r->offset_s, r->offset_sd_s, r->combined,
            node.ntp_rate_error(), r->skew_ppm * 1e-6, r->root_delay_s, r->root_dispersion_s,
            node.engine().server_state().dispersion_rate);
    }
}

Outcome run_seed(std::uint64_t seed, const Options& options) {
    using namespace gnomon::sim;
    Scenario scenario = options.quiet ? make_quiet_scenario(seed, options.hours, options.servo)
                                      : make_scenario(seed, options.hours, options.servo);
    InvariantChecker checker(*scenario.world);
    World& world = *scenario.world;
    world.set_observer([&](SimNode& node) {
        if (node.model().name == options.trace) {
            trace(node, static_cast<double>(world.now() - kStart) * 1e-9);
        }
        checker.check(node);
    });
    scenario.world->run_until(scenario.end);
    for (const std::string& violation : checker.violations()) {
        std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), violation.c_str());
    }
    const bool locked = checker.was_locked(scenario.appliance);
    if (options.verbose) {
        SimNode& appliance = scenario.world->node(scenario.appliance);
        std::printf(
            "seed %llu: %s; %s, error now %.3e s, worst error/bound %.2f, %llu packets, %llu "
            "checks\n",
            static_cast<unsigned long long>(seed), scenario.description.c_str(),
            locked ? "locked" : "NEVER LOCKED", appliance.ntp_error_s(), checker.worst_ratio(),
            static_cast<unsigned long long>(appliance.packets_sent()),
            static_cast<unsigned long long>(checker.checks()));
        for (const int node : {scenario.appliance, scenario.client}) {
            const InvariantChecker::Tightness tight = checker.tightness(node);
            std::printf("  %s: medians: bound %.3e s, bound/error %.1f, bound/plain %.3f\n",
                        scenario.world->node(node).model().name.c_str(), tight.bound_s,
                        tight.bound_over_error, tight.bound_over_plain);
        }
    }
    return {checker.violations().size(), checker.checks(), locked};
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    if (!parse(argc, argv, options)) {
        std::fprintf(stderr,
                     "usage: %s [--seeds N] [--first S] [--hours H] [--servo NAME] [--quiet] "
                     "[--verbose] [--trace NODE]\n",
                     argv[0]);
        return 2;
    }
    std::uint64_t failed = 0;
    std::uint64_t never_locked = 0;
    std::uint64_t checks = 0;
    for (std::uint64_t seed = options.first; seed < options.first + options.seeds; ++seed) {
        const Outcome outcome = run_seed(seed, options);
        checks += outcome.checks;
        if (outcome.violations > 0) ++failed;
        if (!outcome.locked) {
            ++never_locked;
            std::printf("seed %llu: the appliance never locked\n",
                        static_cast<unsigned long long>(seed));
        }
    }
    std::printf(
        "%llu seeds of %.1f h, %llu checks while locked: %llu broke an invariant, %llu never "
        "locked\n",
        static_cast<unsigned long long>(options.seeds), options.hours,
        static_cast<unsigned long long>(checks), static_cast<unsigned long long>(failed),
        static_cast<unsigned long long>(never_locked));
    // A run that checked nothing proves nothing.
    return failed == 0 && never_locked == 0 && checks > 0 ? 0 : 1;
}
