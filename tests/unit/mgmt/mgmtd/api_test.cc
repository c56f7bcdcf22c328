#include "mgmt/mgmtd/api.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/mgmt/mgmtd/sample.h"

namespace gnomon::mgmtd {
namespace {

const MonoClock::time_point kNow = MonoClock::time_point(std::chrono::hours(1));

struct Bench {
    Model model = sample_model(kNow, sample_snapshot());
    Api::Access access;

    Response get(const std::string& path, bool local = true, const std::string& authorization = "",
                 const std::string& host = "localhost:9123") const {
        Request request;
        request.path = path;
        request.is_local = local;
        request.authorization = authorization;
        request.host = host;
        return Api(model, nullptr, access, [] { return OwnFigures{}; }).handle(request, kNow);
    }
};

TEST(Api, OtherMachinesNeedATokenButForHealth) {
    Bench bench;
    EXPECT_EQ(bench.get("/metrics", false).status, 403);
    EXPECT_EQ(bench.get("/healthz", false).status, 200);
    EXPECT_EQ(bench.get("/readyz", false).status, 200);
    bench.access.tokens = {"0123456789abcdef"};
    EXPECT_EQ(bench.get("/metrics", false).status, 401);
    EXPECT_EQ(bench.get("/metrics", false, "Bearer 0123456789abcdef").status, 200);
    EXPECT_EQ(bench.get("/api/v1/stream", false).status, 401);
    // A proxy on this machine would make everybody local.
    EXPECT_EQ(bench.get("/metrics", true).status, 401);
    EXPECT_EQ(bench.get("/metrics", true, "Bearer 0123456789abcdef").status, 200);
    bench.access.tokens.clear();
    EXPECT_EQ(bench.get("/metrics", true).status, 200);
    bench.access.allow_remote = true;
    EXPECT_EQ(bench.get("/metrics", false).status, 200);
}

TEST(Api, ForeignHostNamesAreRefusedSoThatNoPageOfOthersReadsThisOne) {
    Bench bench;
    for (const char* good :
         {"", "localhost", "LOCALHOST:9123", "127.0.0.1:9123", "[::1]:9123", "192.0.2.7"}) {
        EXPECT_EQ(bench.get("/metrics", true, "", good).status, 200) << good;
    }
    for (const char* bad :
         {"evil.example", "evil.example:9123", "localhost.evil.example", "[", "x"}) {
        EXPECT_EQ(bench.get("/metrics", true, "", bad).status, 421) << bad;
    }
    bench.access.hosts = {"time.example.net"};
    EXPECT_EQ(bench.get("/metrics", true, "", "Time.Example.Net:443").status, 200);
}

TEST(Api, ReportsCarryTimeAndFreshness) {
    Bench bench;
    const auto state = nlohmann::json::parse(bench.get("/api/v1/state").body);
    EXPECT_TRUE(state["fresh"]);
    EXPECT_EQ(state["at_s"], 1.7e9);
    EXPECT_EQ(state["state"]["state"], "LOCKED");
    EXPECT_EQ(state["state"]["bound_s"], 0.001);
    bench.model.disconnected();
    const auto old = nlohmann::json::parse(bench.get("/api/v1/tracking").body);
    EXPECT_FALSE(old["fresh"]);
    EXPECT_EQ(old["tracking"]["last_offset_s"], -2e-6);
}

TEST(Api, UnknownFiguresAreNull) {
    Bench bench;
    telemetry::Snapshot snapshot = sample_snapshot(1);
    snapshot.state.bound_known = false;
    snapshot.sources[0].source.last_sample_ago_s = command::kNever;
    snapshot.tracking.skew_ppm = std::numeric_limits<double>::quiet_NaN();
    snapshot.sources[0].name = "\xff\xfe broken";
    bench.model.set_snapshot(snapshot, kNow);
    const auto all = nlohmann::json::parse(bench.get("/api/v1/snapshot").body)["snapshot"];
    EXPECT_TRUE(all["state"]["bound_s"].is_null());
    EXPECT_TRUE(all["sources"][0]["last_sample_ago_s"].is_null());
    EXPECT_TRUE(all["tracking"]["skew_ppm"].is_null());
    EXPECT_TRUE(all["clients"].is_null());
}

TEST(Api, BeforeTheFirstSnapshotThereIsNoReport) {
    Bench bench;
    bench.model = Model();
    EXPECT_EQ(bench.get("/api/v1/state").status, 503);
    EXPECT_EQ(bench.get("/api/v1/history").status, 503);
    EXPECT_EQ(bench.get("/api/v1/daemon").status, 200);
    EXPECT_EQ(bench.get("/api/v1/nonsense").status, 404);
    EXPECT_EQ(bench.get("/nonsense").status, 404);
    EXPECT_EQ(bench.get("/healthz").status, 200);
    EXPECT_EQ(bench.get("/readyz").status, 503);
}

TEST(Api, DocumentIsValidJsonAndNamesEveryPath) {
    Bench bench;
    const Response response = bench.get("/api/v1/openapi.json");
    ASSERT_EQ(response.status, 200);
    const auto document = nlohmann::json::parse(response.fixed_body);
    for (const char* path : {"/metrics", "/healthz", "/readyz", "/api/v1/state", "/api/v1/stream",
                             "/api/v1/history", "/api/v1/history.csv", "/api/v1/events"}) {
        EXPECT_TRUE(document["paths"].contains(path)) << path;
    }
}

}  // namespace
}  // namespace gnomon::mgmtd
