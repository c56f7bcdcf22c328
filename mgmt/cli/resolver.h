#pragma once

/// Names to addresses and back. An interface, so that commands can be tested without a network.

#include <optional>
#include <string>
#include <vector>

#include "dataplane/wire/address.h"

namespace gnomon::cli {

class Resolver {
public:
    virtual ~Resolver() = default;
    /// At most 16 addresses of the chosen family; empty when there is none. Numeric text needs no
    /// look-up.
    virtual std::vector<IpAddress> addresses(const std::string& name) = 0;
    /// The name of an address, or its own text.
    virtual std::string name(const IpAddress& address) = 0;
    /// `Unspecified`: both families.
    virtual void set_family(IpAddress::Family family) = 0;
};

/// The system's resolver (getaddrinfo, getnameinfo).
class SystemResolver : public Resolver {
public:
    std::vector<IpAddress> addresses(const std::string& name) override;
    std::string name(const IpAddress& address) override;
    void set_family(IpAddress::Family family) override { family_ = family; }

private:
    IpAddress::Family family_ = IpAddress::Family::Unspecified;
};

}  // namespace gnomon::cli
