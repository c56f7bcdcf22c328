/// The program `gnomon-lab`: captures through the responder, without a network or a running daemon.

#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

#include "mgmt/lab/options.h"
#include "mgmt/lab/report.h"
#include "mgmt/lab/setup.h"
#include "mgmt/runtime/storage.h"

namespace gnomon {
namespace {

int fail(const std::string& message) {
    std::fprintf(stderr, "gnomon-lab: %s\n", message.c_str());
    return 1;
}

/// Sleeps so that bursts come at `speed` times the pace of the capture.
class Pace {
public:
    explicit Pace(double speed) : speed_(speed) {}
    void operator()(SystemTime at) {
        if (first_.is_zero()) {
            first_ = at;
            begin_ = std::chrono::steady_clock::now();
        }
        const std::chrono::duration<double> due((at - first_).to_seconds() / speed_);
        std::this_thread::sleep_until(
            begin_ + std::chrono::duration_cast<std::chrono::steady_clock::duration>(due));
    }

private:
    double speed_;
    SystemTime first_;
    std::chrono::steady_clock::time_point begin_;
};

int run_replay(const LabOptions& options, const CaptureFile& file) {
    ReplaySetup setup = open_setup();
    if (!options.config_file.empty()) {
        auto configured = setup_from_config(options.config_file);
        if (!configured) return fail(configured.error());
        setup = std::move(*configured);
    }
    setup.burst = options.burst;
    setup.seed = options.seed;
    if (options.speed > 0.0) setup.pace = Pace(options.speed);
    ReplyFile replies;
    if (!options.output_file.empty()) {
        auto created = ReplyFile::create(options.output_file);
        if (!created) return fail(created.error().message());
        replies = std::move(*created);
        setup.on_reply = [&replies](const UdpPacket& reply, const Stamp& stamp) {
            replies.write(reply, stamp);
        };
    }
    const ReplayResult result = replay(file, setup);
    std::fputs(counts_text(result).c_str(), stdout);
    std::printf("%-28s%.0f ns\n", "median per request", result.ns_per_request);
    if (!replies.close()) return fail("could not write " + options.output_file);
    if (result.error) return fail(options.file + ": " + result.error->to_string());
    return 0;
}

int run_summary(const LabOptions& options, const CaptureFile& file) {
    const ReplayResult result = replay(file, open_setup());
    std::fputs(summary_text(result, options.clients).c_str(), stdout);
    if (result.error) return fail(options.file + ": " + result.error->to_string());
    return 0;
}

int run(const LabOptions& options) {
    const auto content = read_file(options.file);
    if (!content) return fail(content.error().message());
    const auto file = CaptureFile::open(
        {reinterpret_cast<const std::uint8_t*>(content->data()), content->size()});
    if (!file) return fail(options.file + ": " + file.error().to_string());
    return options.action == LabOptions::Action::Replay ? run_replay(options, *file)
                                                        : run_summary(options, *file);
}

}  // namespace
}  // namespace gnomon

int main(int argc, char* argv[]) {
    using gnomon::LabOptions;
    const LabOptions options = gnomon::parse_lab_options(argc, argv);
    switch (options.action) {
        case LabOptions::Action::Help: std::fputs(gnomon::lab_help().c_str(), stdout); return 0;
        case LabOptions::Action::Refuse:
            std::fprintf(stderr, "gnomon-lab: %s\n%s", options.error.c_str(),
                         gnomon::lab_help().c_str());
            return 2;
        default: break;
    }
    return gnomon::run(options);
}
