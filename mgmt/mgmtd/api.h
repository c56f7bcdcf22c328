#pragma once

/// `Api`: what answers HTTP requests: metrics, reports, history, health, the page. Decides,
/// formats, and has no sockets. See openapi.json.

#include <functional>
#include <string>
#include <vector>

#include "mgmt/mgmtd/assets.h"
#include "mgmt/mgmtd/history.h"
#include "mgmt/mgmtd/http.h"
#include "mgmt/mgmtd/metrics.h"
#include "mgmt/mgmtd/model.h"

namespace gnomon::mgmtd {

class Api {
public:
    struct Access {
        std::vector<std::string> tokens;  ///< for requests from other machines
        bool allow_remote = false;        ///< without a token
        std::vector<std::string> hosts;   ///< names by which browsers may call this machine
    };

    /// All outlive the API; `history` may be null.
    Api(const Model& model, const History* history, Access access,
        std::function<OwnFigures()> own_figures)
        : model_(model),
          history_(history),
          access_(std::move(access)),
          own_figures_(std::move(own_figures)) {}

    Response handle(const Request& request, MonoClock::time_point now) const;
    /// What a client of the event stream gets first.
    std::string greeting(MonoClock::time_point now) const;

private:
    std::optional<Response> refusal(const Request& request) const;
    Response report(const std::string& name, MonoClock::time_point now) const;
    Response events(const Request& request) const;
    Response history(const Request& request, bool csv) const;
    Response ready(MonoClock::time_point now) const;

    const Model& model_;
    const History* history_;
    Access access_;
    std::function<OwnFigures()> own_figures_;
};

}  // namespace gnomon::mgmtd
